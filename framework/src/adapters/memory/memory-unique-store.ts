import type { Clock } from '../../base/clock.js';
import type {
  NewestPayload,
  TakenPayload,
  UniqueAnswer,
  UniqueClaim,
  UniqueStore,
} from '../../ports/unique-store.js';

interface Entry {
  job: string;
  sent: boolean;
  until: number;
}

interface Newest {
  body: string;
  dueAt: number;
  until: number;
}

/** Keys of unique jobs in the memory of one process, for tests. Its time is that of `clock`. */
export class MemoryUniqueStore implements UniqueStore {
  readonly #keys = new Map<string, Entry>();
  /** By job. */
  readonly #newest = new Map<string, Newest>();

  constructor(private readonly clock: Clock) {}

  async claim({ key, job }: UniqueClaim, leaseMs: number): Promise<UniqueAnswer> {
    const now = this.clock.now();
    const entry = this.#keys.get(key);
    if (!entry || entry.until <= now || (entry.job === job && !entry.sent)) {
      this.#keys.set(key, { job, sent: false, until: now + leaseMs });
      return { kind: 'first' };
    }
    return entry.sent ? { kind: 'held', job: entry.job } : { kind: 'sending' };
  }

  async sent({ key, job }: UniqueClaim, forMs: number): Promise<void> {
    const entry = this.#keys.get(key);
    if (entry?.job !== job || entry.sent) return;
    Object.assign(entry, { sent: true, until: this.clock.now() + forMs });
  }

  async replace(key: string, { body, delayMs, keepForMs }: NewestPayload): Promise<string | undefined> {
    const now = this.clock.now();
    const entry = this.#keys.get(key);
    if (!entry?.sent || entry.until <= now) return undefined;
    const { job, until } = entry;
    // Put off for no longer than the key is held.
    this.#newest.set(job, { body, dueAt: Math.min(until, now + delayMs), until: until + keepForMs });
    return job;
  }

  async take({ key, job }: UniqueClaim): Promise<TakenPayload> {
    const newest = this.#newest.get(job);
    const inMs = newest ? newest.dueAt - this.clock.now() : 0;
    if (inMs > 0) return { kind: 'later', inMs };
    this.#free(key, job);
    return { kind: 'start', body: newest?.body };
  }

  async end({ key, job }: UniqueClaim): Promise<void> {
    this.#free(key, job);
    this.#newest.delete(job);
  }

  async prune(): Promise<number> {
    const now = this.clock.now();
    let pruned = 0;
    for (const entries of [this.#keys, this.#newest] as Map<string, { until: number }>[]) {
      for (const [id, { until }] of entries) if (until <= now && entries.delete(id)) pruned++;
    }
    return pruned;
  }

  async close(): Promise<void> {}

  #free(key: string, job: string): void {
    if (this.#keys.get(key)?.job === job) this.#keys.delete(key);
  }
}
