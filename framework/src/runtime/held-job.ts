import type { Deadline } from '../base/deadlines.js';
import type { Envelope } from '../model/envelope.js';
import type { MessageHeaders } from '../model/message.js';
import type { Outcome } from '../model/outcome.js';
import type { Delivery } from '../ports/broker.js';
import type { BoundHandler } from './handlers.js';

/** A job that a worker has in hand and may start. */
export class HeldJob {
  /** It has a slot. */
  started = false;
  /** It waited in hand for too long and is the broker's again. */
  givenBack = false;
  /** When it will have waited for too long, if it waits. */
  overdue: Deadline<HeldJob> | undefined;
  /** In the bag of those that run. */
  place: number | undefined;

  constructor(
    /** Replaced when its channel was lost while the job ran and the broker brought it again. */
    public delivery: Delivery,
    readonly envelope: Envelope,
    readonly priority: number,
    readonly executor: JobRunner,
  ) {}
}

/** Runs the jobs of one handler. */
export interface JobRunner {
  readonly handler: BoundHandler;
  /** Runs the job and calls `done` with how that went, at once where nothing waits. Never throws. */
  execute(job: HeldJob, done: (ended: EndedAttempt) => void): void;
}

/** An attempt that is to be settled. */
export interface EndedAttempt {
  readonly outcome: Outcome;
  /** When it began, milliseconds since 1970. */
  readonly startedAt: number;
  /** The same on the clock of `performance.now()`. */
  readonly begunAt: number;
  /** Headers that filters want on the copy of a retry or snooze. */
  readonly carry: MessageHeaders | undefined;
  /** Its start was told as an event of its own. */
  readonly announced: boolean;
}
