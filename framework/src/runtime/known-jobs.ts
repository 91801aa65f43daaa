import { Bag } from '../base/bag.js';
import type { Envelope } from '../model/envelope.js';
import type { HeldJob } from './held-job.js';
import { attemptKey, SettledMemory } from './settled-memory.js';

/** The attempts that run in this process, and those that it has settled lately. */
export class KnownJobs {
  readonly #running = new Bag<HeldJob>();
  readonly #settled = new SettledMemory();

  started(job: HeldJob): void {
    this.#running.add(job);
  }

  /** @param settled false when the job will run again. */
  ended(job: HeldJob, settled: boolean): void {
    this.#running.delete(job);
    if (settled) this.#settled.add(job.envelope);
  }

  /**
   * Deals with a delivery of a job that is known: one that runs here and whose own delivery was lost is settled by this
   * one; one that was settled here is acked again. Asked for what comes again only, which is rare.
   */
  recognize({ envelope, delivery }: HeldJob): 'runs' | 'settled' | undefined {
    const running = this.#runningAs(envelope);
    if (running?.delivery.stale) {
      running.delivery = delivery;
      return 'runs';
    }
    if (!this.#settled.has(envelope)) return undefined;
    delivery.ack();
    return 'settled';
  }

  #runningAs(envelope: Envelope): HeldJob | undefined {
    const key = attemptKey(envelope);
    for (const job of this.#running) {
      if (job.envelope.id === envelope.id && attemptKey(job.envelope) === key) return job;
    }
    return undefined;
  }
}
