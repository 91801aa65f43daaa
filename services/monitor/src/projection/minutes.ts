import type { JobEvent, OutcomeEvent } from 'jobrail/events';
import type { Queryable } from 'jobrail/store';
import type { KindNumbers } from './kinds.js';

const minuteMs = 60_000;

/** Attempts that ended, by minute, kind and outcome, for rates and charts. Nothing is counted twice by a rebuild. */
export class Minutes {
  readonly #counts = new Map<
    string,
    [minute: number, kind: number, outcome: string, number, number, number]
  >();

  /** @param countedTo offset before which everything has been counted. */
  constructor(private readonly countedTo: number) {}

  /** @returns a promise where the kind must be given its number first. */
  add(event: JobEvent, about: { offset: number; service: string; kind: KindNumbers }): void | Promise<void> {
    if (about.offset < this.countedTo || !('startedAt' in event)) return;
    const number = about.kind(event, about.service);
    if (typeof number === 'number') this.#count(event, number);
    else return number.then((given) => this.#count(event, given));
  }

  #count(event: OutcomeEvent, number: number): void {
    const minute = Math.floor(event.at / minuteMs);
    const key = `${minute} ${number} ${event.kind}`;
    let count = this.#counts.get(key);
    if (!count) this.#counts.set(key, (count = [minute, number, event.kind, 0, 0, 0]));
    const ranMs = Math.max(0, Math.round(event.at - event.startedAt));
    count[3]++;
    count[4] += ranMs;
    count[5] = Math.max(count[5], ranMs);
  }

  async write(on: Queryable): Promise<void> {
    if (this.#counts.size === 0) return;
    await on.queryMany(
      `INSERT INTO monitor_minutes (minute, kind, outcome, attempts, run_ms, longest_ms)
       SELECT minute, kind, outcome, attempts, run_ms, longest_ms FROM given WHERE true
       ON CONFLICT (minute, kind, outcome) DO UPDATE SET
         attempts = monitor_minutes.attempts + excluded.attempts,
         run_ms = monitor_minutes.run_ms + excluded.run_ms,
         longest_ms = CASE WHEN excluded.longest_ms > monitor_minutes.longest_ms
           THEN excluded.longest_ms ELSE monitor_minutes.longest_ms END`,
      {
        columns: {
          minute: 'bigint',
          kind: 'bigint',
          outcome: 'text',
          attempts: 'bigint',
          run_ms: 'bigint',
          longest_ms: 'bigint',
        },
        rows: [...this.#counts.values()],
      },
    );
  }
}
