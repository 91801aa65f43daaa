import type { HeaderValue, MessageHeaders, OutgoingMessage } from '../../model/message.js';

export type DeathReason = 'expired' | 'rejected' | 'delivery_limit';

export interface Death {
  queue: string;
  reason: DeathReason;
  /** Milliseconds since 1970. */
  at: number;
}

interface DeathRecord {
  [field: string]: HeaderValue;
  count: number;
  queue: string;
  reason: string;
}

/**
 * A message as it leaves a queue for a dead-letter exchange: `x-death` has a record for each pair of queue and reason,
 * the latest first; `x-first-death-*` are set once; its own expiration is kept in the record only, so that it doesn't
 * expire again.
 */
export function deadLettered(
  message: OutgoingMessage,
  death: Death,
  to: { exchange: string; routingKey: string },
): OutgoingMessage {
  const { expiration, headers, ...properties } = message.properties;
  const records = deathsOf(headers);
  const same = records.find(({ queue, reason }) => queue === death.queue && reason === death.reason);
  const latest: DeathRecord = {
    queue: death.queue,
    reason: death.reason,
    // As amqplib reads a timestamp.
    time: { '!': 'timestamp', value: Math.floor(death.at / 1_000) },
    exchange: message.exchange,
    'routing-keys': [message.routingKey],
    ...(expiration !== undefined && { 'original-expiration': expiration }),
    ...same,
    count: (same?.count ?? 0) + 1,
  };
  const first: MessageHeaders = {
    'x-first-death-exchange': message.exchange,
    'x-first-death-queue': death.queue,
    'x-first-death-reason': death.reason,
  };
  return {
    ...to,
    body: message.body,
    properties: {
      ...properties,
      headers: {
        ...('x-first-death-reason' in headers ? {} : first),
        ...headers,
        'x-death': [latest, ...records.filter((record) => record !== same)],
      },
    },
  };
}

/**
 * True when a dead letter has been in the queue before and nobody rejected it since: RabbitMQ drops it there, because
 * it would go round for ever. Before 4.0 it believes an `x-death` that a client sent along.
 */
export function goesInCircles({ properties }: OutgoingMessage, queue: string): boolean {
  const records = deathsOf(properties.headers);
  const visit = records.findIndex((record) => record.queue === queue);
  return visit >= 0 && records.slice(0, visit + 1).every(({ reason }) => reason !== 'rejected');
}

/** Its sender may have written anything there. */
function deathsOf(headers: MessageHeaders): DeathRecord[] {
  const records = headers['x-death'];
  if (!Array.isArray(records)) return [];
  return records.filter((record): record is DeathRecord => record !== null && typeof record === 'object');
}
