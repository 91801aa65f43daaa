import { type Duration, durationMs, showMs } from '../base/duration.js';
import { ContractError, describe, OptionError, toError } from '../base/errors.js';
import { refuseUnknownOptions } from '../base/options.js';
import type { RetryPolicy } from './retry.js';

/** A job of which a second run would do harm: once it completed, it is not run again. */
export interface IdempotencyOptions<Payload = unknown> {
  /**
   * What the work is known by, 1 to 255 characters: jobs of the contract with the same key do it once. Default: the id of
   * the job, which guards against a second delivery; a key from the payload guards against a second `enqueue` as well.
   */
  key?: (payload: Payload) => string;
  /** How long a completed job is remembered. At least as long as its retries can take. */
  keepFor: Duration;
  /** After a crash, how long until somebody else may take over. Default 60 s, at least 5 s; renewed while the job runs. */
  lease?: Duration;
}

/** Checked, in milliseconds. */
export interface Idempotency {
  readonly key: ((payload: unknown) => unknown) | undefined;
  readonly keepForMs: number;
  readonly leaseMs: number;
}

const leastLeaseMs = 5_000;
const mostKeyCharacters = 255;

/** @throws OptionError */
export function readIdempotency(
  options: IdempotencyOptions,
  subject: string,
  handler: { retry: RetryPolicy; timeoutMs: number },
): Idempotency {
  const what = `idempotency of ${subject}`;
  refuseUnknownOptions(what, options, ['key', 'keepFor', 'lease']);
  const { key, lease = '60s' } = options;
  if (key !== undefined && typeof key !== 'function') {
    throw new OptionError(`key of ${what} is ${describe(key)}.`, {
      mend: 'Give a function of the payload, such as (payload) => payload.orderId.',
    });
  }
  const keepForMs = durationMs(options.keepFor, `keepFor of ${what}`);
  const leaseMs = durationMs(lease, `lease of ${what}`);
  if (leaseMs < leastLeaseMs) {
    throw new OptionError(`lease of ${what} is ${showMs(leaseMs)}.`, {
      mend: `Give at least ${showMs(leastLeaseMs)}: it has to be renewed in time by a busy process.`,
    });
  }
  const spanMs = retrySpanMs(handler.retry, handler.timeoutMs);
  if (keepForMs < spanMs) {
    throw new OptionError(
      `keepFor of ${what} is ${showMs(keepForMs)}, but its retries can take ${showMs(spanMs)}.`,
      {
        mend: `Give at least '${Math.ceil(spanMs / 1_000)}s', or a shorter retry policy or timeout: a job that comes back later would run again.`,
      },
    );
  }
  return { key: key, keepForMs, leaseMs };
}

/** How long it can be from the first attempt to the end of the last: all waits at their longest, all timeouts used up. */
export function retrySpanMs(retry: RetryPolicy, timeoutMs: number): number {
  let span = retry.attempts * timeoutMs;
  for (let attempt = 1; attempt < retry.attempts; attempt++) {
    try {
      span += retry.delayMs(attempt, new Error('none yet: how long could the wait be?'), () => 1);
    } catch {
      // What a function of the user says of an error that it does not know counts for nothing.
    }
  }
  return span;
}

/**
 * The key of a job, made by the function of its handler.
 * @throws ContractError (`JR_KEY_INVALID`)
 */
export function keyOf(contract: string, key: (payload: unknown) => unknown, payload: unknown): string {
  let made: unknown;
  try {
    made = key(payload);
  } catch (error) {
    throw invalid(contract, `threw: ${toError(error).message}`, error);
  }
  if (typeof made !== 'string') throw invalid(contract, `gave ${describe(made)}`);
  if (made === '') throw invalid(contract, 'gave an empty text');
  if (made.length > mostKeyCharacters) throw invalid(contract, `gave ${made.length} characters`);
  // A store keeps UTF-8: half a character would be replaced, and two keys could become one.
  if (/\0|\p{Surrogate}/u.test(made)) throw invalid(contract, `gave ${describe(made)}`);
  return made;
}

function invalid(contract: string, what: string, cause?: unknown): ContractError {
  return new ContractError('JR_KEY_INVALID', `The key function of "${contract}" ${what}.`, {
    mend: `Let it give 1 to ${mostKeyCharacters} characters of text for every payload; hash what is longer.`,
    cause,
  });
}
