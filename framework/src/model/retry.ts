import { type Duration, durationMs } from '../base/duration.js';
import { refuseUnknownOptions, wholeNumber } from '../base/options.js';
import { OptionError } from '../base/errors.js';

/** When a failed attempt is followed by another. */
export interface RetryPolicy {
  /** How many attempts a job gets in all, the first included. */
  readonly attempts: number;
  /** Milliseconds to wait after attempt number `attempt` (from 1) failed with `error`. `random` gives 0 ≤ x < 1. */
  delayMs(attempt: number, error: Error, random: () => number): number;
  /** The policy in words, for plans and screens. */
  readonly summary: string;
}

const mostAttempts = 1_000;

/**
 * Waits that double from `from` up to `to`, with full jitter by default: each wait is drawn evenly between 0 and the
 * bound, so that jobs which failed together do not come back together.
 */
export function exponential(
  options: {
    /** Attempts in all. Default 10. */
    attempts?: number;
    /** Bound of the first wait. Default 1 s. */
    from?: Duration;
    /** Bound that no wait passes. Default 1 h. */
    to?: Duration;
    /** Growth from wait to wait. Default 2. */
    factor?: number;
    /** `'none'` waits the bound itself. Default `'full'`. */
    jitter?: 'full' | 'none';
  } = {},
): RetryPolicy {
  refuseUnknownOptions('exponential()', options, ['attempts', 'from', 'to', 'factor', 'jitter']);
  const attempts = attemptsOf(options.attempts ?? 10, 'exponential()');
  const fromMs = durationMs(options.from ?? '1s', 'from of exponential()');
  const toMs = durationMs(options.to ?? '1h', 'to of exponential()');
  const { factor = 2, jitter = 'full' } = options;
  if (!(factor >= 1)) {
    throw new OptionError(`factor of exponential() is ${factor}.`, { mend: 'Give a number of at least 1.' });
  }
  if (toMs < fromMs) {
    throw new OptionError(`exponential() goes from ${fromMs} ms to ${toMs} ms.`, {
      mend: 'Give a "to" that is at least "from".',
    });
  }
  return {
    attempts,
    summary: `${attempts} attempts, ${fromMs} ms × ${factor}ⁿ up to ${toMs} ms, jitter ${jitter}`,
    delayMs(attempt, _error, random) {
      // The power of a late attempt is infinite, and nothing times that is not a number.
      const bound = fromMs === 0 ? 0 : Math.min(toMs, fromMs * factor ** (attempt - 1));
      return Math.round(jitter === 'full' ? bound * random() : bound);
    },
  };
}

/** The same wait each time. Defaults: 5 attempts, 10 s apart. */
export function fixed(options: { attempts?: number; every?: Duration } = {}): RetryPolicy {
  refuseUnknownOptions('fixed()', options, ['attempts', 'every']);
  const attempts = attemptsOf(options.attempts ?? 5, 'fixed()');
  const everyMs = durationMs(options.every ?? '10s', 'every of fixed()');
  return { attempts, summary: `${attempts} attempts, ${everyMs} ms apart`, delayMs: () => everyMs };
}

/** Waits that a function decides, from the number of the attempt that failed and its error. */
export function backoff(options: {
  attempts: number;
  delay: (attempt: number, error: Error) => Duration;
}): RetryPolicy {
  refuseUnknownOptions('backoff()', options, ['attempts', 'delay']);
  const attempts = attemptsOf(options.attempts, 'backoff()');
  if (typeof options.delay !== 'function') {
    throw new OptionError('delay of backoff() is not a function.', {
      mend: "Give (attempt, error) => '10s' or the like.",
    });
  }
  return {
    attempts,
    summary: `${attempts} attempts, waits by a function`,
    delayMs: (attempt, error) =>
      durationMs(options.delay(attempt, error), 'the wait that delay() of backoff() gave'),
  };
}

/** One attempt, then the dead letters. */
export const noRetry: RetryPolicy = { attempts: 1, summary: 'no retry', delayMs: () => 0 };

export const defaultRetry: RetryPolicy = exponential();

function attemptsOf(value: number, subject: string): number {
  return wholeNumber(value, `attempts of ${subject}`, { min: 1, max: mostAttempts });
}
