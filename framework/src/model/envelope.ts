import { ContractError, describe, type JobrailError, toError } from '../base/errors.js';
import { redact } from '../base/redact.js';
import type { MessageHeaders, IncomingMessage, MessageProperties } from './message.js';
import { errorFacts } from './error-facts.js';
import type { DeadReason } from './outcome.js';

/** Header names on the wire; `docs/wire.md` says what each means. */
export const header = {
  attempt: 'x-jobrail-attempt',
  enqueuedAt: 'x-jobrail-enqueued-at',
  dueAt: 'x-jobrail-due-at',
  expiresAt: 'x-jobrail-expires-at',
  causation: 'x-jobrail-causation',
  hops: 'x-jobrail-hops',
  retryOf: 'x-jobrail-retry-of',
  replyTo: 'x-jobrail-reply-to',
  unique: 'x-jobrail-unique',
  attempts: 'x-jobrail-attempts',
  deliveries: 'x-jobrail-deliveries',
  replays: 'x-jobrail-replays',
  errorName: 'x-jobrail-error-name',
  errorMessage: 'x-jobrail-error-message',
  errorStack: 'x-jobrail-error-stack',
  errorFingerprint: 'x-jobrail-error-fingerprint',
  deadAt: 'x-jobrail-dead-at',
  deadReason: 'x-jobrail-dead-reason',
} as const;

/**
 * A larger body is not read: it would have to be parsed in one go while nothing else runs. RabbitMQ has the same limit
 * since 4.0.
 */
export const mostBodyBytes = 16 * 1024 * 1024;

/** The last moment that a Date can be. Milliseconds since 1970. */
const lastMoment = 8.64e15;

/** Child jobs may be nested this deep; deeper is taken for a circle. */
export const mostHops = 100;

/** A failed attempt, as the history in `x-jobrail-attempts` keeps it. */
export interface AttemptRecord {
  attempt: number;
  /** When it began, milliseconds since 1970. */
  at: number;
  /** How long it ran, milliseconds. */
  ms: number;
  /** `Name: message`, at most 500 characters. */
  error: string;
  service: string;
}

/** What a message says of its job, read and checked. */
export interface Envelope {
  id: string;
  /** Name of the contract; empty for a plain message of a system that does not know Jobrail. */
  contract: string;
  rootId: string;
  causationId: string | undefined;
  hops: number;
  attempt: number;
  enqueuedAt: number;
  dueAt: number | undefined;
  expiresAt: number | undefined;
  /** How often it was sent again from the dead letters. */
  replays: number;
}

/**
 * Reads the properties and headers of a message.
 * @param fallbackId id for a message without `message_id`, which only plain messages of others may lack.
 * @throws ContractError (`JR_MESSAGE_UNREADABLE`) naming the property, its value and what it must be.
 */
export function readEnvelope(message: IncomingMessage, now: number, fallbackId: () => string): Envelope {
  if (message.unreadable) throw message.unreadable;
  const { properties, body } = message;
  const headers = properties.headers ?? {};
  if (body.length > mostBodyBytes) {
    throw unreadable('size in bytes', body.length, `at most ${mostBodyBytes}`);
  }
  if (properties.contentEncoding !== undefined && properties.contentEncoding !== 'utf-8') {
    throw unreadable('content_encoding', properties.contentEncoding, 'absent or "utf-8"');
  }
  const id = properties.messageId ? properties.messageId : fallbackId();
  return {
    id,
    contract: properties.type ?? '',
    rootId: properties.correlationId ? properties.correlationId : id,
    causationId: text(headers, header.causation),
    hops: count(headers, header.hops, 0) ?? 0,
    attempt: count(headers, header.attempt, 1) ?? 1,
    enqueuedAt: moment(headers, header.enqueuedAt) ?? timeOf(id, properties.timestamp) ?? now,
    dueAt: moment(headers, header.dueAt),
    expiresAt: moment(headers, header.expiresAt),
    replays: count(headers, header.replays, 0) ?? 0,
  };
}

/** When the job of a message that Jobrail made was enqueued; undefined where the message does not tell. */
export function enqueuedAtOf({ messageId = '', timestamp, headers }: MessageProperties): number | undefined {
  return moment(headers, header.enqueuedAt) ?? timeOf(messageId, timestamp);
}

/** Milliseconds since 1970 that a UUIDv7 begins with; else what the timestamp says, in whole seconds. */
function timeOf(id: string, timestamp: number | undefined): number | undefined {
  const ms = timeOfUuidv7(id);
  if (ms !== undefined) return ms;
  return timestamp && timestamp * 1_000 <= lastMoment ? timestamp * 1_000 : undefined;
}

/** Read digit by digit: a pattern and a part of the text for each delivery cost as much as all else in its envelope. */
function timeOfUuidv7(id: string): number | undefined {
  if (id.length !== 36 || id[14] !== '7') return undefined;
  let ms = 0;
  for (let i = 0; i < 36; i++) {
    const code = id.charCodeAt(i);
    if (i === 8 || i === 13 || i === 18 || i === 23) {
      if (code !== 0x2d) return undefined;
    } else {
      const digit =
        code >= 0x30 && code <= 0x39 ? code - 0x30 : code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
      if (digit < 0 || (i === 19 && (digit & 0xc) !== 8)) return undefined;
      if (i < 13) ms = ms * 16 + digit;
    }
  }
  return ms;
}

/** The JSON of a message body. @throws ContractError (`JR_PAYLOAD_NOT_JSON`), which quotes nothing of it. */
export function readPayload(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch (error) {
    // What the parser says quotes the body: only the place is kept.
    const [place] = / at position \d+/.exec(toError(error).message) ?? [''];
    throw new ContractError(
      'JR_PAYLOAD_NOT_JSON',
      `The body of the message is no JSON${place} (${body.length} bytes).`,
      { mend: 'Send UTF-8 JSON with content_type application/json.' },
    );
  }
}

/** A payload as the body of a message. @throws as `payloadJson` */
export function writePayload(contract: string, payload: unknown): Buffer {
  return Buffer.from(payloadJson(contract, payload));
}

/** @throws ContractError (`JR_PAYLOAD_NOT_JSON`) for what JSON cannot hold: functions, undefined, circles, BigInt. */
export function payloadJson(contract: string, payload: unknown): string {
  let json: string | undefined;
  let cause: unknown;
  try {
    json = JSON.stringify(payload);
  } catch (error) {
    cause = error;
  }
  if (json !== undefined) return json;
  throw new ContractError('JR_PAYLOAD_NOT_JSON', `The payload of "${contract}" cannot be written as JSON.`, {
    mend: 'Send plain data: no functions, no BigInt, no object that contains itself.',
    cause,
  });
}

/** Properties of a copy of a message, for a next attempt or a delay: same job, cleaned headers, `changes` applied. */
export function copyProperties(
  message: IncomingMessage,
  envelope: Envelope,
  changes: MessageHeaders,
): MessageProperties {
  const { headers, ...properties } = message.properties;
  const { replyTo } = properties;
  return {
    ...pick(properties),
    messageId: envelope.id,
    type: envelope.contract,
    correlationId: envelope.rootId,
    headers: {
      ...withoutOldHeaders(headers),
      [header.enqueuedAt]: envelope.enqueuedAt,
      ...(replyTo !== undefined && { [header.replyTo]: replyTo }),
      ...changes,
    },
  };
}

/** Properties of a copy of a message that cannot be read: as they were, less what would end or stop the copy. */
export function copyUnread({ properties }: IncomingMessage, changes: MessageHeaders): MessageProperties {
  const { messageId, type, correlationId, contentType, contentEncoding, headers } = properties;
  return {
    ...pick(properties),
    messageId,
    type,
    correlationId,
    contentType,
    contentEncoding,
    headers: { ...withoutOldHeaders(headers), ...changes },
  };
}

/** Headers that say how and why a job died. */
export function deadHeaders(reason: DeadReason, error: Error, now: number): MessageHeaders {
  const { name, message, stack = '', fingerprint } = errorFacts(error);
  return {
    [header.deadReason]: reason,
    [header.deadAt]: now,
    [header.errorName]: name,
    [header.errorMessage]: message,
    [header.errorStack]: stack,
    [header.errorFingerprint]: fingerprint,
  };
}

const historyKept = 25;
const historyBytes = 16_384;

/** The history of failed attempts with one more; the oldest are dropped beyond 25, or 16 KiB of JSON. */
export function extendHistory(headers: MessageHeaders, record: AttemptRecord): string {
  const all = [...readHistory(headers), { ...record, error: redact(record.error).slice(0, 500) }];
  const history = all.slice(-historyKept);
  while (history.length > 1 && Buffer.byteLength(JSON.stringify(history)) > historyBytes) history.shift();
  return JSON.stringify(history);
}

/** Failed attempts so far; empty when the header is absent or spoilt, because history must not stop a job. */
export function readHistory(headers: MessageHeaders): AttemptRecord[] {
  const json = headers[header.attempts];
  if (typeof json !== 'string') return [];
  try {
    const history: unknown = JSON.parse(json);
    return Array.isArray(history) ? (history as AttemptRecord[]) : [];
  } catch {
    return [];
  }
}

/** What the producer gave: headers without those of Jobrail, of tracing and of the broker. */
export function userHeaders(headers: MessageHeaders): MessageHeaders {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !/^(x-|traceparent$|tracestate$|baggage$)/.test(name)),
  );
}

/**
 * Headers that the broker put there, and those that it acts upon. Left on a copy, `x-death` makes a broker before 4.0.1
 * take the next dead-lettering for a cycle and drop the message without a word; `CC` and `BCC` make it route the copy to
 * more queues, any of its choice, with the rights of this process.
 */
const brokerHeader = /^(x-(death$|first-death-|last-death-|delivery-count$|acquired-count$)|B?CC$)/;

/** A copy begins with a clean count of failed deliveries. */
function withoutOldHeaders(headers: MessageHeaders = {}): MessageHeaders {
  const kept: MessageHeaders = {};
  for (const name in headers) {
    if (name !== header.deliveries && !brokerHeader.test(name)) kept[name] = headers[name]!;
  }
  return kept;
}

/** The properties that a copy keeps; never `expiration`, which would drop it while it waits. */
function pick({ timestamp, contentType, priority, appId }: Omit<MessageProperties, 'headers'>) {
  return {
    contentType: contentType ?? 'application/json',
    ...(timestamp !== undefined && { timestamp }),
    ...(priority !== undefined && { priority }),
    ...(appId !== undefined && { appId }),
  };
}

function text(headers: MessageHeaders, name: string): string | undefined {
  const value = headers[name];
  if (value === undefined || typeof value === 'string') return value;
  throw unreadable(name, value, 'text');
}

function count(headers: MessageHeaders, name: string, min: number): number | undefined {
  const value = headers[name];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min) return value;
  throw unreadable(name, value, `a whole number of at least ${min}`);
}

function moment(headers: MessageHeaders, name: string): number | undefined {
  const value = count(headers, name, 0);
  if (value === undefined || value <= lastMoment) return value;
  throw unreadable(name, value, 'a moment in milliseconds since 1970');
}

function unreadable(name: string, value: unknown, expected: string): JobrailError {
  return new ContractError(
    'JR_MESSAGE_UNREADABLE',
    `${name} of the message is ${describe(value)}, not ${expected}.`,
    {
      mend: 'docs/wire.md says what a message must look like.',
    },
  );
}
