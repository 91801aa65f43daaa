import type { Database, Queryable, Transaction } from 'jobrail/store';
import { type JobRecord, jobStates, kindOf, stateOf } from '../records/job-record.js';
import { addToShelves } from './job-writes.js';
import type { Lease } from './lease.js';
import { segmentSize } from './segments.js';
import { senderKeptMs } from './senders.js';

/** How long jobs of a state are kept, and how many at most. Jobs that are not done yet are always kept. */
export interface StateRetention {
  /** Since their last step. Milliseconds. */
  ageMs: number;
  jobs: number;
}

export type Retention = Partial<Record<JobRecord['state'], StateRetention>>;

interface Candidate {
  seq: number;
  shelf: number;
  fingerprint: string | null;
  updated_at: number;
}

const dayMs = 86_400_000;
/** Jobs removed in one transaction. */
const atOnce = 1_000;
const minutesKeptMs = 30 * dayMs;
const workersKeptMs = dayMs;
const alertsKeptMs = 30 * dayMs;
const auditKept = 100_000;

/** Removes what is older, or more, than is to be kept. */
export class Retain {
  constructor(
    private readonly database: Database,
    private readonly lease: Lease,
    private readonly retention: Retention,
  ) {}

  /** A small part of it. @returns false when there is nothing more to remove. */
  async step(now: number): Promise<boolean> {
    for (const state of jobStates) {
      const limits = this.retention[state];
      if (!limits) continue;
      const surplus = await this.#surplus(state, limits, now);
      if (surplus.length === 0) continue;
      await this.database.transaction(async (transaction) => {
        await this.lease.confirm(transaction);
        await removeJobs(transaction, surplus);
      });
      return true;
    }
    await this.#removeOld(now);
    return false;
  }

  async #surplus(state: JobRecord['state'], limits: StateRetention, now: number): Promise<Candidate[]> {
    const shelves = await shelvesOf(this.database, state);
    let excess = shelves.reduce((sum, { jobs }) => sum + jobs, 0) - limits.jobs;
    const oldest: Candidate[] = [];
    for (const { shelf } of shelves) {
      const { rows } = await this.database.query<Candidate & Record<string, string | number | null>>(
        `SELECT seq, shelf, fingerprint, updated_at FROM monitor_jobs WHERE shelf = $1 ORDER BY seq LIMIT ${atOnce}`,
        [shelf],
      );
      oldest.push(...rows);
    }
    oldest.sort((a, b) => a.seq - b.seq);
    return oldest
      .filter(({ updated_at }) => excess-- > 0 || updated_at < now - limits.ageMs)
      .slice(0, atOnce);
  }

  async #removeOld(now: number): Promise<void> {
    await this.database.transaction(async (transaction) => {
      await this.lease.confirm(transaction);
      await transaction.query(`DELETE FROM monitor_minutes WHERE minute < $1`, [
        Math.floor((now - minutesKeptMs) / 60_000),
      ]);
      await transaction.query(`DELETE FROM monitor_workers WHERE seen_at < $1`, [now - workersKeptMs]);
      await transaction.query(`DELETE FROM monitor_senders WHERE seen_at < $1`, [now - senderKeptMs]);
      await transaction.query(`DELETE FROM monitor_alerts WHERE resolved_at < $1`, [now - alertsKeptMs]);
      await transaction.query(
        `DELETE FROM monitor_audit WHERE place < (
           SELECT MIN(place) FROM (SELECT place FROM monitor_audit ORDER BY place DESC LIMIT ${auditKept}) AS kept)`,
      );
      await removeEmptySegments(transaction);
    });
  }
}

async function removeJobs(transaction: Transaction, jobs: readonly Candidate[]): Promise<void> {
  const given = { columns: { seq: 'bigint' as const }, rows: jobs.map(({ seq }) => [seq]) };
  await transaction.queryMany(`DELETE FROM monitor_jobs WHERE seq IN (SELECT seq FROM given)`, given);
  await transaction.queryMany(`DELETE FROM monitor_history WHERE seq IN (SELECT seq FROM given)`, given);
  const shelves = new Map<number, number>();
  const failures = new Map<string, [string, number, number]>();
  for (const { shelf, fingerprint } of jobs) {
    shelves.set(shelf, (shelves.get(shelf) ?? 0) - 1);
    if (stateOf(shelf) !== 'dead' || fingerprint === null) continue;
    const key = `${fingerprint} ${kindOf(shelf)}`;
    failures.set(key, [fingerprint, kindOf(shelf), (failures.get(key)?.[2] ?? 0) + 1]);
  }
  await addToShelves(transaction, [...shelves]);
  if (failures.size === 0) return;
  await transaction.queryMany(
    `UPDATE monitor_failures SET jobs = jobs - (SELECT given.gone FROM given
       WHERE given.print = monitor_failures.fingerprint AND given.kind = monitor_failures.kind)
     WHERE EXISTS (SELECT 1 FROM given
       WHERE given.print = monitor_failures.fingerprint AND given.kind = monitor_failures.kind)`,
    { columns: { print: 'text', kind: 'bigint', gone: 'bigint' }, rows: [...failures.values()] },
  );
  await transaction.query(`DELETE FROM monitor_failures WHERE jobs <= 0`);
}

async function removeEmptySegments(transaction: Transaction): Promise<void> {
  const { rows } = await transaction.query<{ segment: number }>(
    `SELECT segment FROM monitor_segments WHERE NOT EXISTS (SELECT 1 FROM monitor_jobs
       WHERE seq >= segment * ${segmentSize} AND seq < (segment + 1) * ${segmentSize})
     AND segment < (SELECT MAX(segment) FROM monitor_segments) LIMIT 20`,
  );
  for (const { segment } of rows) {
    await transaction.query(`DELETE FROM monitor_values WHERE segment = $1`, [segment]);
    await transaction.query(`DELETE FROM monitor_segments WHERE segment = $1`, [segment]);
  }
}

async function shelvesOf(
  on: Queryable,
  state: JobRecord['state'],
): Promise<{ shelf: number; jobs: number }[]> {
  const { rows } = await on.query<{ shelf: number; jobs: number }>(
    `SELECT shelf, jobs FROM monitor_shelves WHERE jobs > 0`,
  );
  return rows.filter(({ shelf }) => stateOf(shelf) === state);
}
