import { toError } from '../base/errors.js';
import {
  type AttemptRecord,
  copyProperties,
  copyUnread,
  type Envelope,
  header,
  readEnvelope,
  readHistory,
} from './envelope.js';
import type { IncomingMessage, MessageHeaders, MessageProperties } from './message.js';

/** What a dead letter says of itself. Texts are as they came: whoever shows them has to mind what is in them. */
export interface DeadLetter {
  /** Name of the queue, without prefix. */
  queue: string;
  /** Empty for a message without an id. */
  id: string;
  /** Empty for a message that does not tell. */
  contract: string;
  reason: string;
  /** Milliseconds since 1970; undefined where nobody wrote it down. */
  deadAt: number | undefined;
  enqueuedAt: number | undefined;
  error: { name: string; message: string; stack: string };
  /** Twelve hexadecimal digits, or the reason of the broker where it made the dead letter. */
  fingerprint: string;
  attempts: readonly AttemptRecord[];
  /** How often it was sent again before. */
  replays: number;
  priority: number;
  producer: string | undefined;
  traceId: string | undefined;
  payloadBytes: number;
}

/** Reads what a dead letter says; never throws. */
export function readDeadLetter(message: IncomingMessage, queue: string): DeadLetter {
  const { headers, messageId, type, priority, appId } = message.properties;
  const envelope = envelopeOf(message);
  const reason = textOf(headers[header.deadReason]) ?? brokersReason(headers) ?? 'unknown';
  return {
    queue,
    id: messageId ?? '',
    contract: type ?? '',
    reason,
    deadAt: numberOf(headers[header.deadAt]) ?? brokersTime(headers),
    enqueuedAt: envelope?.enqueuedAt,
    error: {
      name: textOf(headers[header.errorName]) ?? '',
      message: textOf(headers[header.errorMessage]) ?? '',
      stack: textOf(headers[header.errorStack]) ?? '',
    },
    fingerprint: textOf(headers[header.errorFingerprint]) ?? reason,
    attempts: readHistory(headers).filter((record) => typeof record?.attempt === 'number'),
    replays: envelope?.replays ?? 0,
    priority: priority ?? 0,
    producer: appId,
    traceId: /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(textOf(headers['traceparent']) ?? '')?.[1],
    payloadBytes: message.body.length,
  };
}

/** Why it is no job any more, and what belongs to a life that is over. The history of attempts stays. */
const left = new Set<string>([
  header.deadReason,
  header.deadAt,
  header.errorName,
  header.errorMessage,
  header.errorStack,
  header.errorFingerprint,
  header.attempt,
  header.dueAt,
  header.expiresAt,
]);

/** Properties of the message that sends a dead letter again: the same job, from attempt 1, one replay more. */
export function replayProperties(message: IncomingMessage): MessageProperties {
  const envelope = envelopeOf(message);
  const replays = (envelope?.replays ?? 0) + 1;
  const copied = envelope
    ? copyProperties(message, envelope, { [header.replays]: replays })
    : copyUnread(message, { [header.replays]: replays });
  const kept = Object.entries(copied.headers).filter(([name]) => !left.has(name));
  return { ...copied, headers: Object.fromEntries(kept) };
}

function envelopeOf(message: IncomingMessage): Envelope | undefined {
  try {
    return readEnvelope(message, Date.now(), () => '');
  } catch (error) {
    toError(error); // what cannot be read is sent again as it is, and will be refused as it was
    return undefined;
  }
}

function brokersReason(headers: MessageHeaders): string | undefined {
  return textOf(headers['x-first-death-reason']);
}

function brokersTime(headers: MessageHeaders): number | undefined {
  const deaths = headers['x-death'];
  const [last] = Array.isArray(deaths) ? deaths : [];
  const time = (last as { time?: unknown } | undefined)?.time;
  const seconds = typeof time === 'number' ? time : (time as { value?: unknown } | undefined)?.value;
  return typeof seconds === 'number' ? seconds * 1_000 : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
