import type { Queryable } from 'jobrail/store';
import type { PlacedEvent } from './placed-event.js';

/** What people did: control messages and replays, as they were told. */
export class Audit {
  readonly #rows: (string | number)[][] = [];

  add({ event, from, offset }: PlacedEvent): void {
    const n = this.#rows.filter(([place]) => place === offset).length;
    this.#rows.push([offset, n, JSON.stringify({ ...event, service: from.service, host: from.host })]);
  }

  async write(on: Queryable): Promise<void> {
    if (this.#rows.length === 0) return;
    await on.queryMany(
      `INSERT INTO monitor_audit (place, n, event) SELECT place, n, event FROM given WHERE true
       ON CONFLICT DO NOTHING`,
      { columns: { place: 'bigint', n: 'bigint', event: 'text' }, rows: this.#rows },
    );
  }
}
