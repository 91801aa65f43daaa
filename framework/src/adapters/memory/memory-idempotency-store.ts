import type { Clock } from '../../base/clock.js';
import type { Claim, ClaimAnswer, Completion, IdempotencyStore } from '../../ports/idempotency-store.js';

interface Entry {
  token: string;
  done: boolean;
  /** Moment at which it is forgotten; a claim is held for as long as the process lives, which is this one. */
  until: number;
  result: string | undefined;
}

/** Keys in the memory of one process, for tests. Its time is that of `clock`. */
export class MemoryIdempotencyStore implements IdempotencyStore {
  readonly #entries = new Map<string, Entry>();
  #claims = 0;

  constructor(private readonly clock: Clock) {}

  async claim(key: string): Promise<ClaimAnswer> {
    const entry = this.#entries.get(key);
    if (entry && entry.until > this.clock.now()) {
      return entry.done ? { kind: 'done', result: entry.result } : { kind: 'busy', leftMs: 1_000 };
    }
    const token = String(++this.#claims);
    this.#entries.set(key, { token, done: false, until: Infinity, result: undefined });
    return { kind: 'claimed', claim: { key, token } };
  }

  async complete({ key, token }: Claim, { result, keepForMs }: Completion): Promise<boolean> {
    const entry = this.#entries.get(key);
    if (entry?.token !== token) return false;
    Object.assign(entry, { done: true, until: this.clock.now() + keepForMs, result });
    return true;
  }

  async release({ key, token }: Claim): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry?.token === token && !entry.done) this.#entries.delete(key);
  }

  /** All claims lapse, as after a crash of their holders. */
  lapse(): void {
    for (const [key, { done }] of this.#entries) if (!done) this.#entries.delete(key);
  }

  async prune(): Promise<number> {
    const over = [...this.#entries].filter(([, { until }]) => until <= this.clock.now());
    for (const [key] of over) this.#entries.delete(key);
    return over.length;
  }

  async close(): Promise<void> {}
}
