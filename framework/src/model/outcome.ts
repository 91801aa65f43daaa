import { type Duration, durationMs } from '../base/duration.js';
import { JobrailError, toError } from '../base/errors.js';
import type { RetryPolicy } from './retry.js';

/** What people see of a job. */
export type JobState =
  | 'scheduled'
  | 'pending'
  | 'processing'
  | 'retrying'
  | 'completed'
  | 'dead'
  | 'discarded'
  | 'cancelled'
  | 'expired';

/** Why a job was given up on. The last three are the broker's own words for dead letters that it made. */
export type DeadReason =
  | 'retries-exhausted'
  | 'fatal'
  | 'invalid-payload'
  | 'unknown-contract'
  | 'unreadable'
  | 'crashed'
  | 'rejected'
  | 'delivery_limit'
  | 'expired';

/** How an attempt ended. */
export type Outcome =
  | { kind: 'completed'; result: unknown }
  | { kind: 'retry'; inMs: number; error: Error }
  | { kind: 'snooze'; inMs: number }
  | { kind: 'discard'; reason: string }
  | { kind: 'dead'; reason: DeadReason; error: Error }
  /** Its `expiresIn` was over before it was started. */
  | { kind: 'expired' }
  /** It was cancelled: before its handler was called, or while that `ran`. */
  | { kind: 'cancelled'; reason?: string | undefined; ran: boolean }
  /** Given back to the queue untouched, because the service stops; no attempt is counted. */
  | { kind: 'released' };

/** Thrown by a handler to end its attempt in a way other than failing. */
export abstract class Signal extends Error {}

/** Try again in `in`, whatever the retry policy says of the wait; counts as an attempt. */
export class Retry extends Signal {
  override readonly name = 'Retry';
  readonly inMs: number;
  constructor(options: { in: Duration; cause?: unknown }) {
    super(`retry in ${options.in}`, { cause: options.cause });
    this.inMs = durationMs(options.in, 'in of Retry');
  }
}

/** Not now: come back in `in`. Does not count as an attempt. */
export class Snooze extends Signal {
  override readonly name = 'Snooze';
  readonly inMs: number;
  constructor(options: { in: Duration }) {
    super(`snooze for ${options.in}`);
    this.inMs = durationMs(options.in, 'in of Snooze');
  }
}

/** The job is no longer wanted: it ends here, is not retried and not kept. */
export class Discard extends Signal {
  override readonly name = 'Discard';
  constructor(readonly reason: string) {
    super(reason);
  }
}

/** No retry can help: the job goes to the dead letters at once. */
export class Fatal extends Signal {
  override readonly name = 'Fatal';
  constructor(error: Error | string) {
    super(typeof error === 'string' ? error : error.message, { cause: error });
  }
}

/** An attempt ran past the timeout of its handler. */
export class AttemptTimeout extends JobrailError {
  constructor(contract: string, timeoutMs: number) {
    super(
      'JR_ATTEMPT_TIMEOUT',
      `The attempt of "${contract}" took longer than its timeout of ${timeoutMs} ms.`,
      {
        mend: 'Pass job.signal to what the handler waits for, or give the handler a longer timeout.',
      },
    );
  }
}

/** The grace period of a stopping service is over. */
export class Shutdown extends JobrailError {
  constructor() {
    super('JR_SHUTDOWN', 'The service is stopping and its grace period is over.');
  }
}

/** The job was cancelled while it ran. */
export class Cancelled extends JobrailError {
  constructor(
    job: string,
    readonly reason: string | undefined,
  ) {
    super('JR_CANCELLED', `Job ${job} was cancelled${reason ? `: ${reason}` : ''}.`);
  }
}

/** The thread or process in which an attempt ran ended before its handler did. */
export class IsolateCrash extends JobrailError {
  constructor(isolate: { contract: string; in: 'thread' | 'process'; memoryMb: number }, cause: Error) {
    super(
      'JR_ISOLATE_CRASHED',
      `The ${isolate.in} in which an attempt of "${isolate.contract}" ran ended before its handler did: ${cause.message}.`,
      {
        mend: `Where it was out of memory, raise memoryMb of isolate, now ${isolate.memoryMb}; look for process.exit() and native code that crashes.`,
        cause,
      },
    );
  }
}

/** What follows from what a handler threw. Pure: `random` is the only dice. */
export function outcomeOf(
  thrown: unknown,
  attempt: number,
  policy: RetryPolicy,
  random: () => number,
): Outcome {
  if (thrown instanceof Snooze) return { kind: 'snooze', inMs: thrown.inMs };
  if (thrown instanceof Discard) return { kind: 'discard', reason: thrown.reason };
  if (thrown instanceof Cancelled) return { kind: 'cancelled', reason: thrown.reason, ran: true };
  if (thrown instanceof Shutdown) return { kind: 'released' };
  if (thrown instanceof Fatal) {
    const { cause } = thrown;
    return { kind: 'dead', reason: 'fatal', error: cause instanceof Error ? toError(cause) : thrown };
  }
  const error =
    thrown instanceof Retry && thrown.cause !== undefined ? toError(thrown.cause) : toError(thrown);
  if (attempt >= policy.attempts) return { kind: 'dead', reason: 'retries-exhausted', error };
  try {
    const inMs = thrown instanceof Retry ? thrown.inMs : policy.delayMs(attempt, error, random);
    return { kind: 'retry', inMs, error };
  } catch (policyError) {
    // A backoff function that throws must not lose the job or loop without a wait.
    return {
      kind: 'retry',
      inMs: 60_000,
      error: new AggregateError(
        [error, policyError],
        `${error.message} (and the backoff function threw: ${toError(policyError).message})`,
      ),
    };
  }
}
