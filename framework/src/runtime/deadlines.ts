import type { Clock, Timer } from '../base/clock.js';

/**
 * Deadlines that all lie equally far ahead, watched with one timer: jobs of one handler share their timeout, so the
 * oldest is always the next. A timer for each job would cost more than the job.
 */
export class Deadlines<T extends { startedAt: number }> {
  readonly #running = new Set<T>();
  #timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly afterMs: number,
    private readonly onOverdue: (item: T) => void,
  ) {}

  add(item: T): void {
    this.#running.add(item);
    this.#timer ??= this.#watch(item);
  }

  delete(item: T): void {
    // The timer is left to fire: to stop and start it for each job of a quiet queue is what this class avoids.
    this.#running.delete(item);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#running.clear();
  }

  #watch(oldest: T): Timer {
    const inMs = oldest.startedAt + this.afterMs - this.clock.now();
    return this.clock.setTimer(Math.max(1, inMs), () => this.#fire(), true);
  }

  #fire(): void {
    this.#timer = undefined;
    const now = this.clock.now();
    for (const item of this.#running) {
      if (item.startedAt + this.afterMs > now) {
        this.#timer = this.#watch(item);
        return;
      }
      this.#running.delete(item);
      this.onOverdue(item);
    }
  }
}
