import type { Envelope } from '../model/envelope.js';

/** What tells one attempt of one job from all others. One that was snoozed has the same number, but another due time. */
export function attemptKey({ id, attempt, dueAt, enqueuedAt, replays }: Envelope): string {
  return `${id} ${attempt} ${dueAt ?? enqueuedAt} ${replays}`;
}

/**
 * The attempts this process has settled lately. An ack that was under way when a connection broke is lost, and the
 * broker delivers the job again; a process that remembers having settled it acks it again instead of running it again.
 */
export class SettledMemory {
  #recent = new Set<string>();
  #older = new Set<string>();

  /** @param capacity attempts that are remembered at least; at most twice as many. */
  constructor(private readonly capacity = 5_000) {}

  add(key: string): void {
    this.#recent.add(key);
    if (this.#recent.size < this.capacity) return;
    this.#older = this.#recent;
    this.#recent = new Set();
  }

  has(key: string): boolean {
    return this.#recent.has(key) || this.#older.has(key);
  }
}
