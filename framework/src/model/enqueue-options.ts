import { type Duration, durationMs, showMs } from '../base/duration.js';
import { describe, OptionError } from '../base/errors.js';
import { refuseUnknownOptions, wholeNumber } from '../base/options.js';
import type { HeaderValue, MessageHeaders } from './message.js';
import type { Contract } from './contract.js';
import { longestDelayMs } from './delay.js';
import type { UniqueOptions } from './unique.js';

export interface EnqueueOptions<Payload = unknown> {
  /** Wait at least this long before the job may start: 1 ms to 1 year. */
  delay?: Duration;
  /** The moment before which the job may not start, instead of `delay`; one in the past means now. */
  runAt?: Date;
  /** From 0 (default) to the priorities of the queue minus 1, the most urgent. */
  priority?: number;
  /** Id of the job, 1 to 128 printable characters. Default: a UUIDv7. */
  id?: string;
  /** If the job has not started when this is over, it ends as expired. Counted from now, the delay included. */
  expiresIn?: Duration;
  /** Sent along and given to the handler, at most 16 KiB. Names may not begin with `x-`, nor be CC or BCC; values as AMQP headers have them. */
  headers?: MessageHeaders;
  /**
   * Of all who enqueue a job with the same key one does; the others get its id, or also give it their payload. Needs a store
   * that producers and services share.
   */
  unique?: UniqueOptions<Payload>;
}

export interface EnqueuedJob {
  readonly id: string;
}

const knownOptions = ['delay', 'runAt', 'priority', 'id', 'expiresIn', 'headers', 'unique'];

/** Options as moments, checked. */
export interface EnqueuePlan {
  priority: number;
  id: string | undefined;
  dueAt: number | undefined;
  expiresAt: number | undefined;
  headers: MessageHeaders | undefined;
}

const nothingAsked: EnqueuePlan = Object.freeze({
  priority: 0,
  id: undefined,
  dueAt: undefined,
  expiresAt: undefined,
  headers: undefined,
});

/**
 * Checks what was asked for against the contract.
 * @throws OptionError naming the option, its value and what it may be.
 */
export function planEnqueue(
  contract: Contract,
  options: EnqueueOptions | undefined,
  now: number,
): EnqueuePlan {
  if (options === undefined) return nothingAsked;
  const subject = `enqueue("${contract.name}")`;
  refuseUnknownOptions(subject, options, knownOptions);
  if (options.unique !== undefined) {
    throw new OptionError(`A job of "${contract.name}" cannot be unique here.`, {
      mend: 'Use enqueue() or enqueueMany(): whoever calls run() waits for a job of his own, and enqueueIn() may be rolled back.',
    });
  }
  const dueAt = dueAtOf(options, subject, now);
  const { priority = 0, id, expiresIn, headers } = options;
  if (id !== undefined) checkJobId(id, `id of ${subject}`);
  wholeNumber(priority, `priority of ${subject}`, { min: 0, max: contract.queue.priorities - 1 });
  if (headers !== undefined) checkHeaders(headers, subject);
  const expiresInMs = expiresIn === undefined ? undefined : durationMs(expiresIn, `expiresIn of ${subject}`);
  if (expiresInMs !== undefined && dueAt !== undefined && now + expiresInMs <= dueAt) {
    throw new OptionError(`${subject} would expire before it is due.`, {
      mend: 'expiresIn counts from now: give one that is longer than the delay.',
    });
  }
  return {
    priority,
    id,
    dueAt,
    expiresAt: expiresInMs === undefined ? undefined : now + expiresInMs,
    headers,
  };
}

/** @throws OptionError */
export function checkJobId(id: unknown, what: string): void {
  if (typeof id === 'string' && /^[\x21-\x7e]{1,128}$/.test(id)) return;
  throw new OptionError(`${what} is ${describe(id)}.`, {
    mend: 'Give 1 to 128 printable ASCII characters without spaces.',
  });
}

function dueAtOf({ delay, runAt }: EnqueueOptions, subject: string, now: number): number | undefined {
  if (delay !== undefined && runAt !== undefined) {
    throw new OptionError(`${subject} has both delay and runAt.`, { mend: 'Give one of them.' });
  }
  if (runAt !== undefined && !(runAt instanceof Date && Number.isFinite(runAt.getTime()))) {
    throw new OptionError(`runAt of ${subject} is ${describe(runAt)}.`, { mend: 'Give a valid Date.' });
  }
  const delayMs =
    delay !== undefined
      ? durationMs(delay, `delay of ${subject}`)
      : runAt !== undefined
        ? runAt.getTime() - now
        : 0;
  if (delayMs > longestDelayMs) {
    throw new OptionError(`delay of ${subject} is ${showMs(delayMs)}.`, {
      mend: `The longest delay is ${showMs(longestDelayMs)}; keep the date in your own data and enqueue nearer to it.`,
    });
  }
  return delayMs > 0 ? now + delayMs : undefined;
}

function checkHeaders(headers: MessageHeaders, subject: string): void {
  for (const [name, value] of Object.entries(headers)) {
    if (/^x-/i.test(name) || reservedHeaders.has(name.toLowerCase())) {
      throw new OptionError(`headers of ${subject} has the reserved name ${describe(name)}.`, {
        mend: 'Use a name that does not begin with "x-", is no trace header and none that the broker acts upon (CC, BCC).',
      });
    }
    if (Buffer.byteLength(name) > 255 || !isHeaderValue(value)) {
      throw new OptionError(`header ${describe(name)} of ${subject} is ${describe(value)}.`, {
        mend: 'Names have at most 255 bytes; values are text, finite numbers, booleans, null, or lists and objects of these.',
      });
    }
  }
  const bytes = Buffer.byteLength(JSON.stringify(headers));
  if (bytes > mostHeaderBytes) {
    throw new OptionError(`headers of ${subject} take ${bytes} bytes; the limit is ${mostHeaderBytes}.`, {
      mend: 'Send the data in the payload, or put it into a storage and send its key.',
    });
  }
}

/** As JSON. What Jobrail adds in the life of a job has to fit beside it. */
const mostHeaderBytes = 16_384;

const reservedHeaders = new Set(['traceparent', 'tracestate', 'baggage', 'cc', 'bcc', '__proto__']);

function isHeaderValue(value: unknown, depth = 0): value is HeaderValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (depth > 8 || typeof value !== 'object') return false;
  return Object.values(value).every((item) => isHeaderValue(item, depth + 1));
}
