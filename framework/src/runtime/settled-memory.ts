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
  #recent: Envelope[] = [];
  #older: Envelope[] = [];
  /** Made when something is asked for: most processes are never asked, and a text for each job would cost all of them. */
  #keys: Set<string> | undefined;

  /** @param capacity attempts that are remembered at least; at most twice as many. */
  constructor(private readonly capacity = 5_000) {}

  add(envelope: Envelope): void {
    this.#recent.push(envelope);
    this.#keys?.add(attemptKey(envelope));
    if (this.#recent.length < this.capacity) return;
    this.#older = this.#recent;
    this.#recent = [];
    this.#keys = undefined;
  }

  has(envelope: Envelope): boolean {
    this.#keys ??= new Set([...this.#older, ...this.#recent].map(attemptKey));
    return this.#keys.has(attemptKey(envelope));
  }
}
