import type { Kind } from './kind.js';
import type { LedgerEvent } from './ledger.js';

/** A job found in the dead-letter queue at the end. */
export interface DeadLetter {
  id: string;
  /** `x-jobrail-dead-reason`. */
  reason: string;
}

/** A message found in a queue where none should be at the end: a lane, a delay queue, suspects, unroutable. */
export interface LeftOver {
  queue: string;
  id: string;
}

/** A fault as it was done. */
export interface Fault {
  /** In words: `SIGKILL of worker-2`. */
  what: string;
  startedAt: number;
  /** When the cause was gone: the broker answers again, the network forwards, the process is started again. */
  endedAt: number;
  /** Names of the workers that had to come back from it. */
  affected: readonly string[];
  /** Where it hit jobs of one kind only: a run of that kind shows that a worker has come back. */
  kind?: Kind | undefined;
}

/** Everything that is known of a scenario when it is over, from records that the code under test has no hand in. */
export interface History {
  events: readonly LedgerEvent[];
  dead: readonly DeadLetter[];
  left: readonly LeftOver[];
  faults: readonly Fault[];
  /** The job of each effect that workers left in the store; undefined where none are kept. */
  effects?: readonly string[] | undefined;
  /** Jobs whose transactions were committed; undefined where they are not enqueued in transactions. */
  committed?: readonly string[] | undefined;
}
