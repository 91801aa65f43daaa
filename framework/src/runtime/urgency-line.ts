import { Fifo } from '../base/fifo.js';

/**
 * Jobs in hand, by priority. The most urgent is taken first; of one priority, the one that came first. With a share for
 * the low priorities, every so many takes go to the least urgent that waits, so a flood of urgent jobs cannot starve it.
 */
export class UrgencyLine<T> {
  readonly #lines: Fifo<T>[];
  #size = 0;
  #takes = 0;

  /** @param lowShare part of the takes that go to the least urgent job, 0 (strict order) to 1. */
  constructor(
    priorities: number,
    private readonly lowShare = 0,
  ) {
    this.#lines = Array.from({ length: priorities }, () => new Fifo<T>());
  }

  get size(): number {
    return this.#size;
  }

  add(item: T, priority: number): void {
    this.#lines[Math.min(priority, this.#lines.length - 1)]!.push(item);
    this.#size++;
  }

  take(): T | undefined {
    if (this.#size === 0) return undefined;
    this.#takes += this.lowShare;
    const lowest = this.#takes >= 1;
    if (lowest) this.#takes -= 1;
    this.#size--;
    const { length } = this.#lines;
    for (let i = 0; i < length; i++) {
      const line = this.#lines[lowest ? i : length - 1 - i]!;
      if (line.size > 0) return line.shift();
    }
    return undefined;
  }

  drain(): T[] {
    this.#size = 0;
    return this.#lines.flatMap((line) => line.drain());
  }
}
