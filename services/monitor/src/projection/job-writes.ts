import type { JobEvent } from 'jobrail/events';
import type { Queryable } from 'jobrail/store';
import { kindOf, shelfOf, stateOf } from '../records/job-record.js';
import { JobEntry, type JobRow } from './job-entry.js';
import type { KindNumbers } from './kinds.js';
import type { PlacedEvent } from './placed-event.js';
import { Postings } from './postings.js';
import { segmentOf } from './segments.js';

interface FailureChange {
  fingerprint: string;
  kind: number;
  jobs: number;
  at: number;
  seq: number;
  name: string;
  message: string;
}

const columns = 'seq, shelf, time, fingerprint, first_offset, record';

/** Columns of a job that change, and its number. */
const changing = {
  seq: 'bigint',
  shelf: 'bigint',
  updated_at: 'bigint',
  due_at: 'bigint',
  fingerprint: 'text',
  record: 'text',
} as const;

/** The jobs that a transaction touches: read together, folded in memory, written together. */
export class JobWrites {
  readonly #entries = new Map<string, JobEntry>();

  /** @param nextSeq number of the next job that is new. */
  constructor(
    private readonly transaction: Queryable,
    private readonly kind: KindNumbers,
    public nextSeq: number,
  ) {}

  async fold(events: readonly PlacedEvent<JobEvent>[]): Promise<void> {
    const ids = new Set(events.map(({ event }) => event.job));
    if (ids.size === 0) return;
    const { rows } = await this.transaction.queryMany<JobRow & Record<string, string | number | null>>(
      `SELECT ${columns} FROM monitor_jobs WHERE id IN (SELECT id FROM given)`,
      { columns: { id: 'text' }, rows: [...ids].map((id) => [id]) },
    );
    for (const row of rows) this.#keep(JobEntry.of(row));
    for (const placed of events) {
      const entry = this.#entries.get(placed.event.job) ?? JobEntry.first(this.nextSeq++, placed);
      this.#keep(entry);
      entry.add(placed);
    }
  }

  /** Jobs whose time has come: scheduled no more, but waiting. @returns how many there were, at most 1,000. */
  async release(now: number): Promise<number> {
    const { rows } = await this.transaction.query<JobRow & Record<string, string | number | null>>(
      `SELECT ${columns} FROM monitor_jobs WHERE due_at IS NOT NULL AND due_at <= $1 LIMIT 1000`,
      [now],
    );
    for (const row of rows) {
      const entry = JobEntry.of(row);
      entry.record.state = 'pending';
      entry.record.nextAt = undefined;
      this.#keep(entry);
    }
    return rows.length;
  }

  async write(): Promise<void> {
    const fresh: (string | number | null)[][] = [];
    const known: (string | number | null)[][] = [];
    const history: (string | number)[][] = [];
    const postings = new Postings();
    const segments = new Map<number, [first: number, last: number]>();
    const shelves = new Map<number, number>();
    const failures = new Map<string, FailureChange>();
    for (const entry of this.#entries.values()) {
      const { seq, before, time, record, firstOffset, fingerprint } = entry;
      const kind = this.kind(record, record.service ?? '');
      const shelf = shelfOf(typeof kind === 'number' ? kind : await kind, record.state);
      const row = [seq, shelf, record.updatedAt, entry.dueAt, fingerprint, entry.recordText()];
      if (before) known.push(row);
      else fresh.push([...row, record.id, time, firstOffset]);
      if (entry.steps.length > 0) history.push([seq, entry.place, entry.stepsText()]);
      for (const token of entry.newTokens()) postings.add(token, seq);
      if (before?.shelf !== shelf) {
        shelves.set(shelf, (shelves.get(shelf) ?? 0) + 1);
        if (before) shelves.set(before.shelf, (shelves.get(before.shelf) ?? 0) - 1);
      }
      if (!before) widen(segments, segmentOf(seq), time);
      countFailure(failures, entry, shelf);
    }
    if (this.#entries.size === 0) return;
    // Not one after the other: while the store does one, the next is made ready.
    await Promise.all([
      this.#insertJobs(fresh),
      this.#updateJobs(known),
      this.#writeHistory(history),
      postings.write(this.transaction),
      this.#writeSegments([...segments].map(([segment, [first, last]]) => [segment, first, last])),
      addToShelves(this.transaction, [...shelves]),
      this.#writeFailures([...failures.values()]),
    ]);
  }

  #keep(entry: JobEntry): void {
    this.#entries.set(entry.record.id, entry);
  }

  async #insertJobs(rows: (string | number | null)[][]): Promise<void> {
    if (rows.length === 0) return;
    const columns = { ...changing, id: 'text', time: 'bigint', first_offset: 'bigint' } as const;
    const names = Object.keys(columns).join(', ');
    await this.transaction.queryMany(`INSERT INTO monitor_jobs (${names}) SELECT ${names} FROM given`, {
      columns,
      rows,
    });
  }

  async #updateJobs(rows: (string | number | null)[][]): Promise<void> {
    if (rows.length === 0) return;
    await this.transaction.queryMany(
      `UPDATE monitor_jobs SET shelf = given.shelf, updated_at = given.updated_at, due_at = given.due_at,
         fingerprint = given.fingerprint, record = given.record
       FROM given WHERE monitor_jobs.seq = given.seq`,
      { columns: changing, rows },
    );
  }

  async #writeHistory(rows: (string | number)[][]): Promise<void> {
    if (rows.length === 0) return;
    await this.transaction.queryMany(
      `INSERT INTO monitor_history (seq, place, steps) SELECT seq, place, steps FROM given WHERE true
       ON CONFLICT (seq, place) DO UPDATE SET steps = excluded.steps`,
      { columns: { seq: 'bigint', place: 'bigint', steps: 'text' }, rows },
    );
  }

  async #writeSegments(rows: number[][]): Promise<void> {
    if (rows.length === 0) return;
    await this.transaction.queryMany(
      `INSERT INTO monitor_segments (segment, first_time, last_time)
       SELECT segment, first_time, last_time FROM given WHERE true
       ON CONFLICT (segment) DO UPDATE SET
         first_time = CASE WHEN excluded.first_time < monitor_segments.first_time
           THEN excluded.first_time ELSE monitor_segments.first_time END,
         last_time = CASE WHEN excluded.last_time > monitor_segments.last_time
           THEN excluded.last_time ELSE monitor_segments.last_time END`,
      { columns: { segment: 'bigint', first_time: 'bigint', last_time: 'bigint' }, rows },
    );
  }

  async #writeFailures(changes: FailureChange[]): Promise<void> {
    if (changes.length === 0) return;
    await this.transaction.queryMany(
      `INSERT INTO monitor_failures (fingerprint, kind, jobs, first_at, last_at, last_seq, name, message)
       SELECT fingerprint, kind, jobs, at, at, seq, name, message FROM given WHERE true
       ON CONFLICT (fingerprint, kind) DO UPDATE SET
         jobs = monitor_failures.jobs + excluded.jobs,
         last_at = CASE WHEN excluded.jobs > 0 AND excluded.last_at > monitor_failures.last_at
           THEN excluded.last_at ELSE monitor_failures.last_at END,
         last_seq = CASE WHEN excluded.jobs > 0 THEN excluded.last_seq ELSE monitor_failures.last_seq END,
         name = CASE WHEN excluded.jobs > 0 THEN excluded.name ELSE monitor_failures.name END,
         message = CASE WHEN excluded.jobs > 0 THEN excluded.message ELSE monitor_failures.message END`,
      {
        columns: {
          fingerprint: 'text',
          kind: 'bigint',
          jobs: 'bigint',
          at: 'bigint',
          seq: 'bigint',
          name: 'text',
          message: 'text',
        },
        rows: changes.map(({ fingerprint, kind, jobs, at, seq, name, message }) => [
          ...[fingerprint, kind, jobs, at, seq],
          ...[storable(name), storable(message)],
        ]),
      },
    );
    await this.transaction.query(`DELETE FROM monitor_failures WHERE jobs <= 0`);
  }
}

/** Adds to the counts of shelves. @param rows of shelf and change. */
export async function addToShelves(on: Queryable, rows: number[][]): Promise<void> {
  if (rows.length === 0) return;
  await on.queryMany(
    `INSERT INTO monitor_shelves (shelf, jobs) SELECT shelf, jobs FROM given WHERE true
     ON CONFLICT (shelf) DO UPDATE SET jobs = monitor_shelves.jobs + excluded.jobs`,
    { columns: { shelf: 'bigint', jobs: 'bigint' }, rows },
  );
}

function widen(segments: Map<number, [number, number]>, segment: number, time: number): void {
  const [first, last] = segments.get(segment) ?? [time, time];
  segments.set(segment, [Math.min(first, time), Math.max(last, time)]);
}

/** Dead letters are counted by cause and kind. */
function countFailure(changes: Map<string, FailureChange>, entry: JobEntry, shelf: number): void {
  const { before, record, seq, fingerprint } = entry;
  const was = before && stateOf(before.shelf) === 'dead' ? before.fingerprint : null;
  const is = record.state === 'dead' ? fingerprint : null;
  if (was === is && (was === null || before!.shelf === shelf)) return;
  const change = (print: string, kind: number, jobs: number) => {
    const key = `${print} ${kind}`;
    const { name = '', message = '' } = record.error ?? {};
    const at = record.endedAt ?? record.updatedAt;
    const sum = (changes.get(key)?.jobs ?? 0) + jobs;
    changes.set(key, { fingerprint: print, kind, jobs: sum, at, seq, name, message });
  };
  if (was !== null) change(was, kindOf(before!.shelf), -1);
  if (is !== null) change(is, kindOf(shelf), 1);
}

/** Text as the stores take it. */
function storable(text: string): string {
  return text
    .slice(0, 1_000)
    .replaceAll('\0', ' ')
    .replace(/\p{Surrogate}/gu, '\ufffd');
}
