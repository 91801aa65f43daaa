import { setTimeout as pause } from 'node:timers/promises';

const turnMs = 20;

/** This part of the jobs is kept back so that there is load until the last fault is over. */
const reserve = 0.15;

/**
 * Spreads jobs over time. At the given speed until only the reserve is left, then at a tenth of it, and at full speed
 * again once `finish` says that the faults are over. What could not be produced in time is not made up for.
 */
export class Pace {
  #left: number;
  readonly #reserve: number;
  #finishing = false;
  #stopped = false;
  #credit = 0;

  constructor(private readonly options: { jobs: number; perSecond: number }) {
    this.#left = options.jobs;
    this.#reserve = options.jobs * reserve;
  }

  finish(): void {
    this.#finishing = true;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** How many jobs to produce now, turn by turn, never more than there is `room` for. Ends when all are produced. */
  async *turns(room: () => number): AsyncGenerator<number> {
    while (this.#left > 0 && !this.#stopped) {
      const slow = !this.#finishing && this.#left <= this.#reserve;
      this.#credit += (this.options.perSecond * turnMs) / 1_000 / (slow ? 10 : 1);
      const count = Math.min(Math.floor(this.#credit), this.#left, room());
      this.#credit -= Math.floor(this.#credit);
      if (count > 0) {
        this.#left -= count;
        yield count;
      }
      await pause(turnMs);
    }
  }
}
