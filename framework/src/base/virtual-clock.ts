import type { Clock, Timer } from './clock.js';

interface Waiting {
  at: number;
  order: number;
  fire: () => void;
}

/** A clock that stands still until it is told to move: a five-retry hour runs in milliseconds. */
export class VirtualClock implements Clock {
  #now: number;
  #order = 0;
  readonly #waiting = new Set<Waiting>();

  /** @param start milliseconds since 1970; default 2030-01-01T00:00:00Z. */
  constructor(start: number = Date.UTC(2030, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  setTimer(ms: number, fire: () => void): Timer {
    const waiting = { at: this.#now + Math.max(0, ms), order: this.#order++, fire };
    this.#waiting.add(waiting);
    return { cancel: () => void this.#waiting.delete(waiting) };
  }

  /** When the next timer is due; undefined when none waits. */
  get nextAt(): number | undefined {
    return this.#next()?.at;
  }

  /** Moves on by `ms`, firing in order each timer that becomes due on the way. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (let next = this.#next(); next && next.at <= until; next = this.#next()) this.#fire(next);
    this.#now = until;
  }

  #fire(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    this.#now = Math.max(this.#now, waiting.at);
    waiting.fire();
  }

  #next(): Waiting | undefined {
    let first: Waiting | undefined;
    for (const waiting of this.#waiting) {
      if (!first || waiting.at < first.at || (waiting.at === first.at && waiting.order < first.order)) {
        first = waiting;
      }
    }
    return first;
  }
}
