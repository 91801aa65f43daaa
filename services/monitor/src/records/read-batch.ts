import type { EventBatch, EventSender, RailEvent } from 'jobrail/events';

/** A batch that can be worked with, and how many of its events cannot. */
export interface ReadBatch {
  batch: EventBatch;
  refused: number;
}

const attemptKinds = new Set(['started', 'progress', 'log']);
const outcomeKinds = new Set([
  'completed',
  'retried',
  'snoozed',
  'discarded',
  'cancelled',
  'expired',
  'released',
  'dead',
]);

/** No name is longer on the wire. */
const longestName = 255;

/**
 * Reads a message of the event stream. Anybody with access to the broker may write there, so nothing is taken on trust:
 * what is no event is left out, what a store cannot hold is replaced.
 * @returns undefined for what is no batch at all.
 */
export function readBatch(body: Buffer): ReadBatch | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    return undefined;
  }
  if (!isObject(value) || value['v'] !== 1 || !isWhole(value['seq']) || !Array.isArray(value['events'])) {
    return undefined;
  }
  const from = readSender(value['from']);
  if (!from) return undefined;
  const events = value['events'].filter(isEvent);
  return {
    batch: { v: 1, from, seq: value['seq'], events },
    refused: value['events'].length - events.length,
  };
}

function readSender(value: unknown): EventSender | undefined {
  if (!isObject(value)) return undefined;
  const { service, instance, host, pid } = value;
  if (!isName(service) || !isName(instance) || !isName(host)) return undefined;
  return { service, instance, host, pid: isWhole(pid) ? pid : 0 };
}

function isEvent(value: unknown): value is RailEvent {
  if (!isObject(value) || !isMoment(value['at'])) return false;
  const { kind } = value;
  if (kind === 'heartbeat') return Array.isArray(value['queues']) && isMoment(value['startedAt']);
  if (kind === 'control') return isName(value['subject']) && isName(value['by']) && isName(value['action']);
  return typeof kind === 'string' && isJobEvent(kind, value);
}

function isJobEvent(kind: string, event: Record<string, unknown>): boolean {
  if (!isName(event['job']) || !isName(event['contract']) || !isName(event['queue'])) return false;
  if (event['replays'] !== undefined && !isWhole(event['replays'])) return false;
  if (kind === 'enqueued') return hasFacts(event);
  if (kind === 'replayed') return isName(event['by']);
  if (!isWhole(event['attempt'])) return false;
  if (attemptKinds.has(kind)) {
    if (kind === 'progress') return typeof event['fraction'] === 'number';
    return kind === 'log' ? typeof event['message'] === 'string' : hasFacts(event);
  }
  return outcomeKinds.has(kind) && isOutcome(kind, event);
}

function isOutcome(kind: string, event: Record<string, unknown>): boolean {
  if (!isMoment(event['startedAt'])) return false;
  if (event['facts'] !== undefined && !(isObject(event['facts']) && hasFacts(event['facts']))) return false;
  if ((kind === 'retried' || kind === 'snoozed') && !isMoment(event['nextAt'])) return false;
  return (kind !== 'retried' && kind !== 'dead') || isError(event['error']);
}

function isError(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value['name'] === 'string' &&
    typeof value['message'] === 'string' &&
    isName(value['fingerprint'])
  );
}

function hasFacts(facts: Record<string, unknown>): boolean {
  const { enqueuedAt, dueAt, expiresAt, priority, rootId, causationId, traceId, producer } = facts;
  return (
    isMoment(enqueuedAt) &&
    [dueAt, expiresAt].every((moment) => moment === undefined || isMoment(moment)) &&
    (priority === undefined || isWhole(priority)) &&
    [rootId, causationId, traceId, producer].every((name) => name === undefined || isName(name))
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Text that every store can hold. */
function isName(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= longestName &&
    !value.includes('\0') &&
    !/\p{Surrogate}/u.test(value)
  );
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Up to the year 10000. */
function isMoment(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < 253_402_300_800_000;
}
