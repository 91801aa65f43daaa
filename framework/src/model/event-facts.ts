import { header } from './envelope.js';
import type { JobFacts } from './event.js';
import type { MessageProperties } from './message.js';

/** What the properties of a message tell of its job. */
export function jobFacts(properties: MessageProperties, enqueuedAt: number): JobFacts {
  const { messageId, correlationId, priority, appId, headers } = properties;
  return {
    enqueuedAt,
    dueAt: as('number', headers[header.dueAt]),
    expiresAt: as('number', headers[header.expiresAt]),
    priority: priority === 0 ? undefined : priority,
    rootId: correlationId === messageId ? undefined : correlationId,
    causationId: as('string', headers[header.causation]),
    traceId: traceIdOf(headers['traceparent']),
    producer: appId,
  };
}

/** How often a job was sent again from the dead letters, where it was. */
export function replaysOf({ headers }: MessageProperties): number | undefined {
  return as('number', headers[header.replays]);
}

interface Kinds {
  number: number;
  string: string;
}

function as<K extends keyof Kinds>(kind: K, value: unknown): Kinds[K] | undefined {
  return typeof value === kind ? (value as Kinds[K]) : undefined;
}

function traceIdOf(traceparent: unknown): string | undefined {
  if (typeof traceparent !== 'string') return undefined;
  return /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent)?.[1];
}
