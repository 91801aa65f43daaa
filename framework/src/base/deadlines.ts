import type { Clock, Timer } from './clock.js';

/**
 * Deadlines that all lie equally far ahead, watched with one timer: jobs of one handler share their timeout, so the
 * oldest is always the next. A timer for each job would cost more than the job.
 */
export class Deadlines<T> {
  /** Each item with the moment it was added, the oldest first. */
  readonly #items = new Map<T, number>();
  #timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly afterMs: number,
    private readonly onOverdue: (item: T) => void,
  ) {}

  add(item: T, now: number): void {
    this.#items.set(item, now);
    this.#timer ??= this.#watch(now);
  }

  delete(item: T): void {
    // The timer is left to fire: to stop and start it for each job of a quiet queue is what this class avoids.
    this.#items.delete(item);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#items.clear();
  }

  #watch(oldest: number): Timer {
    const inMs = oldest + this.afterMs - this.clock.now();
    return this.clock.setTimer(Math.max(1, inMs), () => this.#fire(), true);
  }

  #fire(): void {
    this.#timer = undefined;
    const now = this.clock.now();
    for (const [item, since] of this.#items) {
      if (since + this.afterMs > now) {
        this.#timer ??= this.#watch(since);
        return;
      }
      this.#items.delete(item);
      this.onOverdue(item);
    }
  }
}
