import type { Clock, Timer } from './clock.js';

/** An item that is watched; to be given back to `delete`. */
export interface Deadline<T> {
  readonly item: T;
  /** The moment it was added. */
  readonly since: number;
  /** Its neighbours in the line; the line's. */
  before: Deadline<T> | undefined;
  after: Deadline<T> | undefined;
  over: boolean;
}

/**
 * Deadlines that all lie equally far ahead, watched with one timer: jobs of one handler share their timeout, so the
 * oldest is always the next. A timer for each job would cost more than the job.
 */
export class Deadlines<T> {
  #oldest: Deadline<T> | undefined;
  #newest: Deadline<T> | undefined;
  #timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly afterMs: number,
    private readonly onOverdue: (item: T) => void,
  ) {}

  add(item: T, now: number): Deadline<T> {
    const added: Deadline<T> = { item, since: now, before: this.#newest, after: undefined, over: false };
    if (this.#newest) this.#newest.after = added;
    else this.#oldest = added;
    this.#newest = added;
    this.#timer ??= this.#watch(now);
    return added;
  }

  /** Watches an item no longer; one that is over already stays so. */
  delete(deadline: Deadline<T>): void {
    // The timer is left to fire: to stop and start it for each job of a quiet queue is what this class avoids.
    if (deadline.over) return;
    deadline.over = true;
    const { before, after } = deadline;
    if (before) before.after = after;
    else this.#oldest = after;
    if (after) after.before = before;
    else this.#newest = before;
    // Else one that is forgotten would keep those alive that came after it.
    deadline.before = deadline.after = undefined;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    while (this.#oldest) this.delete(this.#oldest);
  }

  #watch(oldest: number): Timer {
    const inMs = oldest + this.afterMs - this.clock.now();
    return this.clock.setTimer(Math.max(1, inMs), () => this.#fire(), true);
  }

  #fire(): void {
    this.#timer = undefined;
    const now = this.clock.now();
    for (let next = this.#oldest; next; next = this.#oldest) {
      if (next.since + this.afterMs > now) {
        this.#timer ??= this.#watch(next.since);
        return;
      }
      this.delete(next);
      this.onOverdue(next.item);
    }
  }
}
