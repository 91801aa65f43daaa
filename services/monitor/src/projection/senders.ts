import type { EventBatch } from 'jobrail/events';
import type { Queryable } from 'jobrail/store';

/** How long a sender is remembered after its last batch: longer than the stream keeps what it could send again. */
export const senderKeptMs = 15 * 86_400_000;

/**
 * What each process has sent so far. A process has one batch under way at a time, so a batch that comes again comes
 * after nothing newer; a gap means that batches were dropped, and is counted.
 */
export class Senders {
  readonly #changed = new Set<string>();

  private constructor(private readonly known: Map<string, { seq: number; missing: number }>) {}

  static async load(on: Queryable, instances: readonly string[]): Promise<Senders> {
    const unique = [...new Set(instances)];
    if (unique.length === 0) return new Senders(new Map());
    const { rows } = await on.queryMany<{ instance: string; seq: number; missing: number }>(
      `SELECT instance, seq, missing FROM monitor_senders WHERE instance IN (SELECT instance FROM given)`,
      { columns: { instance: 'text' }, rows: unique.map((instance) => [instance]) },
    );
    return new Senders(new Map(rows.map(({ instance, seq, missing }) => [instance, { seq, missing }])));
  }

  /** False for a batch that was there before. */
  isNew({ from, seq }: EventBatch): boolean {
    const known = this.known.get(from.instance);
    if (known && seq <= known.seq) return false;
    const gap = known ? seq - known.seq - 1 : 0;
    this.known.set(from.instance, { seq, missing: (known?.missing ?? 0) + gap });
    this.#changed.add(from.instance);
    return true;
  }

  async write(on: Queryable): Promise<void> {
    if (this.#changed.size === 0) return;
    const now = Date.now();
    await on.queryMany(
      `INSERT INTO monitor_senders (instance, seq, missing, seen_at)
       SELECT instance, seq, missing, seen_at FROM given WHERE true
       ON CONFLICT (instance) DO UPDATE SET seq = excluded.seq, missing = excluded.missing, seen_at = excluded.seen_at`,
      {
        columns: { instance: 'text', seq: 'bigint', missing: 'bigint', seen_at: 'bigint' },
        rows: [...this.#changed].map((instance) => {
          const { seq, missing } = this.known.get(instance)!;
          return [instance, seq, missing, now];
        }),
      },
    );
  }
}
