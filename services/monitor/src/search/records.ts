import type { ControlEvent, ReplayedEvent } from 'jobrail/events';
import type { Database } from 'jobrail/store';
import type { Kind, Kinds } from '../projection/kinds.js';
import type { WorkerRecord } from '../projection/workers.js';
import type { HistoryStep } from '../records/fold.js';
import { type JobRecord, kindOf, stateOf } from '../records/job-record.js';
import { JobSearch } from './job-search.js';

export interface JobDetail extends JobRecord {
  history: HistoryStep[];
  /** Jobs that its handler enqueued; at most 200. */
  children: JobRecord[];
}

export type StateCounts = Partial<Record<JobRecord['state'], number>>;

export interface KindCounts extends Kind {
  states: StateCounts;
}

export interface FailureGroup extends Kind {
  fingerprint: string;
  jobs: number;
  firstAt: number;
  lastAt: number;
  name: string;
  message: string;
}

export interface Minute {
  minute: number;
  outcome: string;
  attempts: number;
  runMs: number;
  longestMs: number;
}

export interface ProjectionFacts {
  prefix: string;
  nextOffset: number;
  lagMs: number | undefined;
  rebuilding: boolean;
  missingBatches: number;
  refused: number;
  jobs: number;
}

/** Silent for longer than three heartbeats. */
const goneMs = 16_000;

/** The records, as they are read. */
export class Records {
  readonly search: JobSearch;

  constructor(
    private readonly database: Database,
    private readonly kinds: Kinds,
  ) {
    this.search = new JobSearch(database, kinds);
  }

  async job(id: string): Promise<JobDetail | undefined> {
    const { rows } = await this.database.query<{ seq: number; record: string }>(
      `SELECT seq, record FROM monitor_jobs WHERE id = $1`,
      [id],
    );
    if (!rows[0]) return undefined;
    const record = JSON.parse(rows[0].record) as JobRecord;
    const { rows: steps } = await this.database.query<{ steps: string }>(
      `SELECT steps FROM monitor_history WHERE seq = $1 ORDER BY place`,
      [rows[0].seq],
    );
    const history = steps.flatMap((row) => JSON.parse(row.steps) as HistoryStep[]);
    return { ...record, history, children: await this.#children(record) };
  }

  /** How many jobs there are of each contract, queue and service, by state. */
  async counts(): Promise<KindCounts[]> {
    const { rows } = await this.database.query<{ shelf: number; jobs: number }>(
      `SELECT shelf, jobs FROM monitor_shelves WHERE jobs > 0 ORDER BY shelf`,
    );
    await this.kinds.load(this.database);
    const counts = new Map<number, KindCounts>();
    for (const { shelf, jobs } of rows) {
      const number = kindOf(shelf);
      const kind = counts.get(number) ?? { ...this.kinds.get(number)!, states: {} };
      kind.states[stateOf(shelf)] = jobs;
      counts.set(number, kind);
    }
    return [...counts.values()];
  }

  /** The job of a queue that has waited longest to be started, by when it was enqueued or due. */
  async oldestWaiting(queue: string): Promise<number | undefined> {
    const { rows: shelves } = await this.database.query<{ shelf: number }>(
      `SELECT shelf FROM monitor_shelves WHERE jobs > 0`,
    );
    await this.kinds.load(this.database);
    let oldest: number | undefined;
    for (const { shelf } of shelves) {
      if (stateOf(shelf) !== 'pending' || this.kinds.get(kindOf(shelf))?.queue !== queue) continue;
      const { rows } = await this.database.query<{ record: string }>(
        `SELECT record FROM monitor_jobs WHERE shelf = $1 ORDER BY seq LIMIT 1`,
        [shelf],
      );
      const { dueAt, enqueuedAt, updatedAt, replays } = JSON.parse(
        rows[0]?.record ?? '{}',
      ) as Partial<JobRecord>;
      const since = replays ? updatedAt : (dueAt ?? enqueuedAt);
      if (since !== undefined) oldest = Math.min(oldest ?? since, since);
    }
    return oldest;
  }

  /** Dead letters by cause, the most frequent first. */
  async failures(): Promise<FailureGroup[]> {
    const { rows } = await this.database.query<{
      fingerprint: string;
      kind: number;
      jobs: number;
      first_at: number;
      last_at: number;
      name: string;
      message: string;
    }>(
      `SELECT fingerprint, kind, jobs, first_at, last_at, name, message FROM monitor_failures
       ORDER BY jobs DESC, fingerprint LIMIT 1000`,
    );
    await this.kinds.load(this.database);
    return rows.map(({ kind, first_at: firstAt, last_at: lastAt, ...group }) => ({
      ...this.kinds.get(kind)!,
      ...group,
      firstAt,
      lastAt,
    }));
  }

  /** Attempts that ended, by minute and outcome. @param queue of one queue only. */
  async minutes(from: number, to: number, queue?: string): Promise<Minute[]> {
    await this.kinds.load(this.database);
    const { rows } = await this.database.query<{
      minute: number;
      kind: number;
      outcome: string;
      attempts: number;
      run_ms: number;
      longest_ms: number;
    }>(
      `SELECT minute, kind, outcome, attempts, run_ms, longest_ms FROM monitor_minutes
       WHERE minute >= $1 AND minute < $2 ORDER BY minute`,
      [Math.floor(from / 60_000), Math.ceil(to / 60_000)],
    );
    const sums = new Map<string, Minute>();
    for (const { minute, kind, outcome, attempts, run_ms, longest_ms } of rows) {
      if (queue !== undefined && this.kinds.get(kind)?.queue !== queue) continue;
      const key = `${minute} ${outcome}`;
      const sum = sums.get(key) ?? { minute: minute * 60_000, outcome, attempts: 0, runMs: 0, longestMs: 0 };
      sum.attempts += attempts;
      sum.runMs += run_ms;
      sum.longestMs = Math.max(sum.longestMs, longest_ms);
      sums.set(key, sum);
    }
    return [...sums.values()];
  }

  async workers(now: number) {
    const { rows } = await this.database.query<{ seen_at: number; record: string }>(
      `SELECT seen_at, record FROM monitor_workers ORDER BY service, instance LIMIT 5000`,
    );
    return rows.map(({ seen_at: seenAt, record }) => {
      const { service, instance, host, pid, ...facts } = JSON.parse(record) as WorkerRecord;
      const { at, startedAt, version, state, queues, eventLoopLagMs, rssBytes } = facts;
      return {
        ...{
          service,
          instance,
          host,
          pid,
          seenAt,
          gone: now - seenAt > goneMs,
          clockSkewMs: Math.round(at - seenAt),
        },
        ...{ at, startedAt, version, state, queues, eventLoopLagMs, rssBytes },
      };
    });
  }

  /** What people did, the newest first. */
  async audit(limit: number): Promise<(ControlEvent | ReplayedEvent)[]> {
    const { rows } = await this.database.query<{ event: string }>(
      `SELECT event FROM monitor_audit ORDER BY place DESC, n DESC LIMIT $1`,
      [limit],
    );
    return rows.map(({ event }) => JSON.parse(event) as ControlEvent | ReplayedEvent);
  }

  async projection(): Promise<ProjectionFacts> {
    const { rows } = await this.database.query<{
      prefix: string;
      next_offset: number;
      stream_base: number;
      lag_ms: number | null;
      rebuild_asked: number;
      rebuild_to: number;
      refused: number;
      missing: number | null;
      jobs: number | null;
    }>(
      `SELECT prefix, next_offset, stream_base, lag_ms, rebuild_asked, rebuild_to, refused,
         (SELECT SUM(missing) FROM monitor_senders) AS missing, (SELECT SUM(jobs) FROM monitor_shelves) AS jobs
       FROM monitor_projection WHERE id = 1`,
    );
    const { prefix, next_offset, stream_base, lag_ms, rebuild_asked, rebuild_to, refused, missing, jobs } =
      rows[0]!;
    return {
      prefix,
      nextOffset: next_offset - stream_base,
      lagMs: lag_ms ?? undefined,
      rebuilding: rebuild_asked === 1 || next_offset < rebuild_to,
      missingBatches: missing ?? 0,
      refused,
      jobs: jobs ?? 0,
    };
  }

  async #children({ id, rootId }: JobRecord): Promise<JobRecord[]> {
    const query = { ids: [], contracts: [], queues: [], services: [], states: [], values: [] };
    const { jobs } = await this.search.find({ ...query, rootId: rootId ?? id }, { limit: 200 });
    return jobs.filter(({ causationId }) => causationId === id).map(shortened);
  }
}

/** A record without what lists do not show. */
export function shortened({ payload: _, result: __, ...record }: JobRecord): JobRecord {
  if (record.error) {
    const { stack: ___, ...error } = record.error;
    record.error = error;
  }
  return record;
}
