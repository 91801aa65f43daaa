import { type Duration, durationMs, showMs } from '../base/duration.js';
import { describe, OptionError } from '../base/errors.js';
import { refuseUnknownOptions } from '../base/options.js';
import type { HeaderValue } from './message.js';
import { keyOf } from './idempotency.js';

/**
 * What becomes of a second job of a key:
 *
 * - `enqueued`: there is none for as long as `for` says.
 * - `until-done`: there is none before the first has ended.
 * - `replace`: until the first has started, it takes the payload of the second, and keeps its moment.
 * - `keep-last`: as `replace`, and the first is put off until the delay of the second is over, too.
 */
export type UniqueOn = 'enqueued' | 'until-done' | 'replace' | 'keep-last';

const knownWays: readonly string[] = ['enqueued', 'until-done', 'replace', 'keep-last'] satisfies UniqueOn[];

/** A method, so that options for any payload can be passed on to a contract. */
interface KeyOfPayload<Payload> {
  key(payload: Payload): string;
}

/** Of all who enqueue a job of the contract with the same key, in any process, one does; the others get its id. */
export interface UniqueOptions<Payload = unknown> {
  /** 1 to 255 characters, or what makes them of the payload. Known within the contract and `on`. */
  key: string | KeyOfPayload<Payload>['key'];
  /** For how long at most, counted from when the first was enqueued. Longer than its delay, but for `enqueued`. */
  for: Duration;
  /** Default `enqueued`. */
  on?: UniqueOn;
}

/** Checked. */
export interface Uniqueness {
  on: UniqueOn;
  key: string;
  forMs: number;
}

/**
 * @param delayMs how long the job itself has to wait.
 * @throws OptionError; ContractError (`JR_KEY_INVALID`)
 */
export function readUnique(
  contract: string,
  options: UniqueOptions,
  payload: unknown,
  delayMs: number,
): Uniqueness {
  const what = `unique of enqueue("${contract}")`;
  refuseUnknownOptions(what, options, ['key', 'for', 'on']);
  const { on = 'enqueued' } = options;
  if (!knownWays.includes(on)) {
    throw new OptionError(`on of ${what} is ${describe(on)}.`, {
      mend: `Use one of ${knownWays.map((known) => `"${known}"`).join(', ')}.`,
    });
  }
  const made = uniqueKey(contract, options, payload);
  const forMs = durationMs(options.for, `for of ${what}`);
  if (on !== 'enqueued' && forMs <= delayMs) {
    throw new OptionError(
      `for of ${what} is ${showMs(forMs)}, but the job is delayed by ${showMs(delayMs)}.`,
      {
        mend: `With "${on}" the key has to be held until the job has started: give more than its delay.`,
      },
    );
  }
  return { on, key: made, forMs };
}

/** @throws ContractError (`JR_KEY_INVALID`) */
export function uniqueKey(contract: string, { key }: UniqueOptions, payload: unknown): string {
  return keyOf(contract, typeof key === 'function' ? key : () => key, payload);
}

/** What a service has to do for a job that somebody may be waiting behind. */
export interface UniqueMark {
  on: Exclude<UniqueOn, 'enqueued'>;
  /** As the store knows it. */
  key: string;
}

/** As the header of a job has it. */
export function writeUniqueMark({ on, key }: UniqueMark): string {
  return `${on} ${key}`;
}

/** Undefined for what is no such header. */
export function readUniqueMark(value: HeaderValue | undefined): UniqueMark | undefined {
  if (typeof value !== 'string') return undefined;
  const end = value.indexOf(' ');
  const on = value.slice(0, end);
  return end > 0 && on !== 'enqueued' && knownWays.includes(on)
    ? { on: on as UniqueMark['on'], key: value.slice(end + 1) }
    : undefined;
}
