import type { Clock, Timer } from '../base/clock.js';
import { Deadlines } from '../base/deadlines.js';
import type { HeldJob } from './held-job.js';
import { UrgencyLine } from './urgency-line.js';

export interface WaitingJobsOptions {
  clock: Clock;
  priorities: number;
  /** Part of the takes that go to the least urgent job, 0 to 1. */
  lowShare: number;
  /** A job that has waited in the line for so long is given back. */
  mostWaitMs: number;
  /** A job that was held is due. */
  onDue: (job: HeldJob) => void;
  /** A job has waited for too long; it is no longer here. */
  onOverdue: (job: HeldJob) => void;
}

/**
 * Jobs in hand that are not started.
 *
 *   early ──due (`onDue`)──▶ ready, by urgency ──take()──▶ started
 *                                └──waited too long (`onOverdue`)──▶ given back
 */
export class WaitingJobs {
  readonly #clock: Clock;
  readonly #onDue: (job: HeldJob) => void;
  readonly #ready: UrgencyLine<HeldJob>;
  readonly #overdue: Deadlines<HeldJob>;
  readonly #early = new Map<HeldJob, Timer>();

  constructor({ clock, priorities, lowShare, mostWaitMs, onDue, onOverdue }: WaitingJobsOptions) {
    this.#clock = clock;
    this.#onDue = onDue;
    this.#ready = new UrgencyLine(priorities, lowShare);
    this.#overdue = new Deadlines(clock, mostWaitMs, (job) => {
      job.givenBack = true;
      onOverdue(job);
    });
  }

  /** Jobs that could be started. */
  get ready(): number {
    return this.#ready.size;
  }

  /** Jobs that are not due. */
  get early(): number {
    return this.#early.size;
  }

  /** Holds a job until it is due. */
  hold(job: HeldJob, earlyMs: number): void {
    const timer = this.#clock.setTimer(earlyMs, () => {
      // Timers may fire a fraction of a millisecond early.
      const leftMs = job.envelope.dueAt! - this.#clock.now();
      this.#early.delete(job);
      if (leftMs > 0) this.hold(job, leftMs);
      else this.#onDue(job);
    });
    this.#early.set(job, timer);
  }

  /** Puts a job into the line. */
  add(job: HeldJob): void {
    this.#ready.add(job, job.priority);
  }

  /** Counts the time of a job if it was not started at once. */
  watch(job: HeldJob): void {
    if (!job.started) job.overdue = this.#overdue.add(job, this.#clock.now());
  }

  /** The most urgent job, which leaves the line; undefined when there is none. */
  take(): HeldJob | undefined {
    for (let job = this.#ready.take(); job; job = this.#ready.take()) {
      if (job.overdue) this.#overdue.delete(job.overdue);
      if (job.givenBack) continue;
      job.started = true;
      return job;
    }
    return undefined;
  }

  /** Lets go of all. */
  drain(): HeldJob[] {
    for (const timer of this.#early.values()) timer.cancel();
    const held = [...this.#ready.drain(), ...this.#early.keys()];
    this.#early.clear();
    this.#overdue.stop();
    return held.filter(({ givenBack }) => !givenBack);
  }
}
