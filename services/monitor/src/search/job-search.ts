import type { Database, SqlValue } from 'jobrail/store';
import type { Kinds } from '../projection/kinds.js';
import { bucketOf, jobsIn } from '../projection/postings.js';
import { segmentOf, segmentSize } from '../projection/segments.js';
import { type JobRecord, kindOf, stateOf } from '../records/job-record.js';
import { payloadTokens, rootToken, traceToken, valueToken } from '../records/search-tokens.js';
import { type JobQuery, makeCursor, type PageRequest, readCursor } from './job-query.js';

export interface JobPage {
  jobs: JobRecord[];
  /** Where the next page begins; undefined when there is none. A page may be short, or empty, and have one. */
  next?: string | undefined;
  /** How many there are in all, where that is known. */
  total?: number | undefined;
}

/** After so long a page is returned as far as it is. Milliseconds. */
const patienceMs = 60;
/** Segments looked at together: one first, because what is frequent is found there; then more. */
const mostTogether = 8;
/** So few jobs are read one by one, whatever else is asked for. */
const few = 2_000;
const mostShelves = 100;
const chunk = 500;

interface JobRow extends Record<string, SqlValue> {
  seq: number;
  record: string;
}

/** Conditions on the rows of jobs, with their parameters. */
interface Conditions {
  /** Newest first below this. */
  below: number;
  /** Not below this. */
  atLeast: number;
  shelves: number[] | undefined;
  fingerprint: string | undefined;
  from: number | undefined;
  to: number | undefined;
}

/**
 * Finds jobs, the newest first (by when they were first heard of). What narrows the search most leads it: a shelf (states,
 * contracts, queues, services), a fingerprint, or a value of the payload; the rest is checked on the way. A search that
 * finds little in much goes on over several pages.
 */
export class JobSearch {
  constructor(
    private readonly database: Database,
    private readonly kinds: Kinds,
  ) {}

  /** @throws QueryError for a cursor of another query; StoreError. */
  async find(query: JobQuery, { limit, cursor }: PageRequest): Promise<JobPage> {
    const below = cursor === undefined ? Number.MAX_SAFE_INTEGER : readCursor(query, cursor);
    const shelves = await this.#shelvesOf(query);
    if (shelves?.length === 0) return { jobs: [], total: 0 };
    if (query.ids.length > 0) return this.#byId(query, shelves);
    const range = await this.#range(query, below);
    if (!range) return { jobs: [] };
    const conditions: Conditions = {
      ...range,
      shelves: shelves?.map(({ shelf }) => shelf),
      fingerprint: query.fingerprint,
      from: query.from,
      to: query.to,
    };
    const tokens = tokensOf(query);
    const onShelves = shelves?.reduce((sum, { jobs }) => sum + jobs, 0);
    const rows = new Rows(limit);
    if (tokens.length > 0 && !(onShelves! <= few)) await this.#byTokens(tokens, conditions, rows);
    else if (tokens.length === 0 && !query.fingerprint && shelves && shelves.length <= mostShelves) {
      await this.#byShelves(conditions, rows);
    } else await this.#byWindows(conditions, rows, { tokens, fewOnShelves: onShelves! <= few });
    const free =
      tokens.length === 0 && !query.fingerprint && query.from === undefined && query.to === undefined;
    return {
      jobs: rows.found.map(({ record }) => JSON.parse(record) as JobRecord),
      next: rows.next === undefined ? undefined : makeCursor(query, rows.next),
      total: free ? (onShelves ?? (await this.#total())) : undefined,
    };
  }

  async #byId(query: JobQuery, shelves: { shelf: number }[] | undefined): Promise<JobPage> {
    const ids = query.ids.map((_, i) => `$${i + 1}`).join(', ');
    const { rows } = await this.database.query<JobRow & { shelf: number; time: number }>(
      `SELECT seq, shelf, time, record FROM monitor_jobs WHERE id IN (${ids}) ORDER BY seq DESC`,
      query.ids,
    );
    const tokens = tokensOf(query);
    const jobs = rows
      .filter(({ shelf }) => !shelves || shelves.some((one) => one.shelf === shelf))
      .filter(({ time }) => time >= (query.from ?? 0) && time < (query.to ?? Infinity))
      .map(({ record }) => JSON.parse(record) as JobRecord)
      .filter((record) => hasTokens(record, tokens))
      .filter(({ error }) => query.fingerprint === undefined || error?.fingerprint === query.fingerprint);
    return { jobs, total: jobs.length };
  }

  /** Each shelf is in order already: the newest of each, merged. */
  async #byShelves(conditions: Conditions, rows: Rows): Promise<void> {
    const bound = new Bound();
    const fixed = rest({ ...conditions, shelves: undefined }, bound);
    const parts = conditions.shelves!.map(
      (shelf, i) =>
        `SELECT seq FROM (SELECT seq FROM monitor_jobs WHERE shelf = ${shelf} AND ${fixed}
         ORDER BY seq DESC LIMIT ${rows.limit + 1}) AS shelf_${i}`,
    );
    const { rows: found } = await this.database.query<JobRow>(
      `SELECT seq, record FROM monitor_jobs WHERE seq IN (
         SELECT seq FROM (${parts.join(' UNION ALL ')}) AS newest ORDER BY seq DESC LIMIT ${rows.limit + 1})
       ORDER BY seq DESC`,
      bound.values,
    );
    rows.add(found);
  }

  /** From the newest segments to the oldest, by whatever index there is. */
  async #byWindows(
    conditions: Conditions,
    rows: Rows,
    { tokens, fewOnShelves }: { tokens: number[]; fewOnShelves: boolean },
  ): Promise<void> {
    // Few jobs are one window.
    for (const [atLeast, below] of fewOnShelves
      ? [[conditions.atLeast, conditions.below] as const]
      : windowsOf(conditions)) {
      let from = below;
      for (;;) {
        const bound = new Bound();
        const where = rest(
          { ...conditions, atLeast, below: from },
          bound,
          fewOnShelves ? 'shelf' : 'fingerprint',
        );
        const { rows: found } = await this.database.query<JobRow>(
          `SELECT seq, record FROM monitor_jobs WHERE ${where} ORDER BY seq DESC LIMIT ${chunk}`,
          bound.values,
        );
        const fit =
          tokens.length === 0 ? found : found.filter(({ record }) => hasTokens(parse(record), tokens));
        if (rows.add(fit)) return;
        if (found.length < chunk) break;
        from = found.at(-1)!.seq;
        if (rows.late) return rows.goOn(from);
      }
      if (rows.late && atLeast > conditions.atLeast) return rows.goOn(atLeast);
    }
  }

  async #byTokens(tokens: readonly number[], conditions: Conditions, rows: Rows): Promise<void> {
    for (const [atLeast, below] of windowsOf(conditions)) {
      const seqs = (await this.#seqsWith(tokens, segmentOf(atLeast), segmentOf(below - 1))).filter(
        (seq) => seq < below && seq >= atLeast,
      );
      for (let i = 0, size = rows.limit + 1; i < seqs.length; i += size, size = chunk) {
        const some = seqs.slice(i, i + size);
        const bound = new Bound();
        const where = rest(conditions, bound, 'seq');
        const { rows: found } = await this.database.query<JobRow>(
          `SELECT seq, record FROM monitor_jobs WHERE seq IN (${some.join(', ')}) AND ${where} ORDER BY seq DESC`,
          bound.values,
        );
        if (rows.add(found)) return;
        if (rows.late && i + size < seqs.length) return rows.goOn(some.at(-1)!);
      }
      if (rows.late && atLeast > conditions.atLeast) return rows.goOn(atLeast);
    }
  }

  /** Jobs of some segments that have all of the tokens, the newest first. */
  async #seqsWith(tokens: readonly number[], first: number, last: number): Promise<number[]> {
    let common: Set<number> | undefined;
    for (const token of tokens) {
      const { rows } = await this.database.query<{ segment: number; list: string }>(
        `SELECT segment, list FROM monitor_values WHERE segment IN (${range(first, last).join(', ')}) AND bucket = $1`,
        [bucketOf(token)],
      );
      const seqs = new Set(rows.flatMap(({ segment, list }) => jobsIn(list, token, segment)));
      common = common === undefined ? seqs : new Set([...common].filter((seq) => seqs.has(seq)));
      if (common.size === 0) return [];
    }
    return [...common!].sort((a, b) => b - a);
  }

  /** Shelves that the query allows and that have jobs; undefined for all. */
  async #shelvesOf(query: JobQuery): Promise<{ shelf: number; jobs: number }[] | undefined> {
    const { contracts, queues, services, states } = query;
    if (contracts.length + queues.length + services.length + states.length === 0) return undefined;
    const { rows } = await this.database.query<{ shelf: number; jobs: number }>(
      `SELECT shelf, jobs FROM monitor_shelves WHERE jobs > 0`,
    );
    await this.kinds.load(this.database);
    return rows.filter(({ shelf }) => {
      const kind = this.kinds.get(kindOf(shelf));
      return (
        kind !== undefined &&
        fits(contracts, kind.contract) &&
        fits(queues, kind.queue) &&
        fits(services, kind.service) &&
        (states.length === 0 || states.includes(stateOf(shelf)))
      );
    });
  }

  /** Where in the order of jobs those of a time can be. */
  async #range(
    { from, to }: JobQuery,
    below: number,
  ): Promise<Pick<Conditions, 'atLeast' | 'below'> | undefined> {
    const { rows } = await this.database.query<{ first: number | null; last: number | null }>(
      `SELECT MIN(segment) AS first, MAX(segment) AS last FROM monitor_segments
       WHERE last_time >= $1 AND first_time < $2`,
      [from ?? 0, to ?? Number.MAX_SAFE_INTEGER],
    );
    const { first, last } = rows[0]!;
    if (first === null || last === null) return undefined;
    const highest = Math.min(below, (last + 1) * segmentSize);
    return highest <= first * segmentSize ? undefined : { atLeast: first * segmentSize, below: highest };
  }

  async #total(): Promise<number> {
    const { rows } = await this.database.query<{ jobs: number | null }>(
      `SELECT SUM(jobs) AS jobs FROM monitor_shelves`,
    );
    return rows[0]!.jobs ?? 0;
  }
}

/** What was found so far, and whether to go on. */
class Rows {
  readonly found: JobRow[] = [];
  next: number | undefined;
  readonly #until = performance.now() + patienceMs;

  constructor(readonly limit: number) {}

  get late(): boolean {
    return performance.now() > this.#until;
  }

  /** @returns true when the page is full. */
  add(rows: readonly JobRow[]): boolean {
    for (const row of rows) {
      if (this.found.length === this.limit) {
        this.next = this.found.at(-1)!.seq;
        return true;
      }
      this.found.push(row);
    }
    return false;
  }

  /** The page ends here because of the time. */
  goOn(below: number): void {
    this.next = below;
  }
}

class Bound {
  readonly values: SqlValue[] = [];

  place(value: SqlValue): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

/**
 * The conditions in SQL. @param lead the column whose index is to be used; the others are written so that no planner
 * takes theirs.
 */
function rest(conditions: Conditions, bound: Bound, lead: 'seq' | 'shelf' | 'fingerprint' = 'seq'): string {
  const { below, atLeast, shelves, fingerprint, from, to } = conditions;
  const parts = [`seq < ${bound.place(below)}`, `seq >= ${bound.place(atLeast)}`];
  if (shelves) parts.push(`shelf${lead === 'shelf' ? '' : ' + 0'} IN (${shelves.join(', ')})`);
  if (fingerprint !== undefined) {
    parts.push(`fingerprint${lead === 'fingerprint' ? '' : ` || ''`} = ${bound.place(fingerprint)}`);
  }
  if (from !== undefined) parts.push(`time >= ${bound.place(from)}`);
  if (to !== undefined) parts.push(`time < ${bound.place(to)}`);
  return parts.join(' AND ');
}

/** Windows of whole segments, the newest first, each as [at least, below]. */
function* windowsOf({ atLeast, below }: Conditions): Generator<readonly [number, number]> {
  let high = below;
  for (let together = 1; high > atLeast; together = Math.min(mostTogether, together * 2)) {
    const low = Math.max(atLeast, (segmentOf(high - 1) + 1 - together) * segmentSize);
    yield [low, high];
    high = low;
  }
}

function tokensOf({ values, traceId, rootId }: JobQuery): number[] {
  const tokens = values.map(({ path, value }) => valueToken(path, value));
  if (traceId !== undefined) tokens.push(traceToken(traceId));
  if (rootId !== undefined) tokens.push(rootToken(rootId));
  return tokens;
}

function hasTokens(record: JobRecord, tokens: readonly number[]): boolean {
  if (tokens.length === 0) return true;
  const own = new Set(payloadTokens(record.payload));
  if (record.traceId !== undefined) own.add(traceToken(record.traceId));
  if (record.rootId !== undefined) own.add(rootToken(record.rootId));
  return tokens.every((token) => own.has(token));
}

function fits(alternatives: readonly string[], name: string): boolean {
  if (alternatives.length === 0) return true;
  return alternatives.some((each) =>
    each.endsWith('*') ? name.startsWith(each.slice(0, -1)) : name === each,
  );
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function parse(record: string): JobRecord {
  return JSON.parse(record) as JobRecord;
}
