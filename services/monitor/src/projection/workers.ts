import type { EventSender, HeartbeatEvent } from 'jobrail/events';
import type { Queryable } from 'jobrail/store';

/** The last heartbeat of each process that was heard. */
export type WorkerRecord = Omit<HeartbeatEvent, 'kind'> & EventSender;

export class Workers {
  readonly #last = new Map<string, WorkerRecord>();

  add({ kind: _, ...facts }: HeartbeatEvent, from: EventSender): void {
    this.#last.set(from.instance, { ...facts, ...from });
  }

  async write(on: Queryable): Promise<void> {
    if (this.#last.size === 0) return;
    const now = Date.now();
    await on.queryMany(
      `INSERT INTO monitor_workers (instance, service, seen_at, record)
       SELECT instance, service, seen_at, record FROM given WHERE true
       ON CONFLICT (instance) DO UPDATE SET seen_at = excluded.seen_at, record = excluded.record`,
      {
        columns: { instance: 'text', service: 'text', seen_at: 'bigint', record: 'text' },
        rows: [...this.#last].map(([instance, record]) => [
          ...[instance, record.service, now],
          JSON.stringify(record).slice(0, 100_000),
        ]),
      },
    );
  }
}
