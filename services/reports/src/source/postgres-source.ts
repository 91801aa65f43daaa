import pg from 'pg';
import type { ColumnKind } from '../table/column-kind.js';
import { columnNames } from '../table/column-names.js';
import { batchCharacters, batchRows, type Column, type Row, type Table } from '../table/table.js';
import { queryFailure } from './postgres-failure.js';
import type { QueryCatalogue } from './query-catalogue.js';

export type QueryParameter = string | number | boolean | null;

export interface PostgresRequest {
  /** Name of a query of the catalogue. */
  query: string;
  params?: readonly QueryParameter[] | undefined;
}

export interface PostgresSourceOptions {
  pool: pg.Pool;
  queries: QueryCatalogue;
  /** How long PostgreSQL may work on one step (opening the cursor, fetching a batch) before it cancels. */
  statementTimeoutMs: number;
}

const firstBatchRows = 200;

/** Rows of configured queries, through a cursor in a read-only transaction. */
export class PostgresSource {
  constructor(private readonly options: PostgresSourceOptions) {}

  /**
   * Opens the rows of a query. The table holds one connection until it is read to its end, fails, or is closed. When
   * `signal` aborts, what PostgreSQL is doing for it is cancelled.
   * @throws ReportError (`QUERY_UNKNOWN`, `QUERY_FAILED`); other errors (connection, timeout) may pass.
   */
  async open({ query, params = [] }: PostgresRequest, signal: AbortSignal): Promise<Table> {
    const sql = this.options.queries.sql(query);
    signal.throwIfAborted();
    const cursor = new ReportCursor(await this.options.pool.connect(), this.options.pool, query);
    try {
      cursor.watch(signal);
      const estimate = await cursor.declare(sql, params, this.options.statementTimeoutMs);
      const first = await cursor.fetch(firstBatchRows);
      const progress = { rows: 0 };
      return {
        columns: columnsOf(first.fields),
        batches: readBatches(cursor, first.rows, progress),
        fraction: () => Math.min(0.99, progress.rows / Math.max(estimate, 1)),
        close: () => cursor.close(),
      };
    } catch (error) {
      await cursor.close();
      throw error;
    }
  }
}

async function* readBatches(
  cursor: ReportCursor,
  first: Row[],
  progress: { rows: number },
): AsyncGenerator<Row[]> {
  let pending: Promise<Fetched> | undefined;
  try {
    let rows = first;
    while (rows.length > 0) {
      // The next batch is on its way while this one is written.
      pending = cursor.fetch(nextBatchRows(rows));
      pending.catch(() => {});
      progress.rows += rows.length;
      yield rows;
      rows = (await pending).rows;
    }
    await cursor.finish();
  } finally {
    await cursor.close();
  }
}

/** As many rows as make about a megabyte, going by the rows just seen. */
function nextBatchRows(rows: readonly Row[]): number {
  let characters = 0;
  for (const row of rows) for (const cell of row) characters += cell?.length ?? 0;
  const fitting = Math.floor(batchCharacters / (characters / rows.length + 1));
  return Math.max(10, Math.min(batchRows, fitting));
}

interface Fetched {
  rows: Row[];
  fields: pg.FieldDef[];
}

/** One connection with one open cursor on it. */
class ReportCursor {
  private aborted: AbortSignal | undefined;
  private running = false;
  private finished = false;
  private closed = false;

  constructor(
    private readonly client: pg.PoolClient,
    private readonly pool: pg.Pool,
    private readonly query: string,
  ) {
    // A connection lost between two statements is told by an event, which without a listener ends the process. The
    // next statement fails with the reason.
    this.client.on('error', ignore);
  }

  /** Cancels what the server does for this connection as soon as the signal aborts. */
  watch(signal: AbortSignal): void {
    this.aborted = signal;
    signal.addEventListener('abort', this.cancel, { once: true });
  }

  /** Opens the cursor and returns how many rows the planner expects. */
  async declare(sql: string, params: readonly QueryParameter[], timeoutMs: number): Promise<number> {
    // One snapshot for the whole report, text in fixed forms, and a plan for reading all rows, not the first few.
    await this.run(
      `begin transaction isolation level repeatable read, read only;
       set local statement_timeout = ${Math.ceil(timeoutMs)}; set local cursor_tuple_fraction = 1;
       set local datestyle = 'ISO, YMD'; set local intervalstyle = 'iso_8601'; set local timezone = 'UTC'`,
    );
    const plan = await this.run({
      text: `explain (format json) ${sql}`,
      values: [...params],
      queryMode: 'extended',
    });
    await this.run({
      text: `declare report no scroll cursor for ${sql}`,
      values: [...params],
      queryMode: 'extended',
    });
    return plannedRows(plan.rows[0]);
  }

  /** An empty list of rows means the end. */
  async fetch(count: number): Promise<Fetched> {
    const { rows, fields } = await this.run<Row>({
      text: `fetch ${count} from report`,
      rowMode: 'array',
      types: asWritten,
    });
    return { rows, fields };
  }

  async finish(): Promise<void> {
    await this.run('commit');
    this.finished = true;
  }

  /** Gives the connection back, or ends it when the transaction is not over. Safe to call twice. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.aborted?.removeEventListener('abort', this.cancel);
    if (this.running) this.cancel();
    if (this.finished) this.client.off('error', ignore);
    this.client.release(!this.finished);
  }

  /** Without it, PostgreSQL notices only with the next row that nobody listens. */
  private readonly cancel = (): void => {
    const { processID } = this.client as pg.PoolClient & { processID: number };
    this.pool.query('select pg_cancel_backend($1)', [processID]).catch(ignore);
  };

  private async run<R>(config: string | QueryConfig): Promise<pg.QueryResult & { rows: R[] }> {
    this.aborted?.throwIfAborted();
    this.running = true;
    try {
      return (await this.client.query(config as pg.QueryConfig)) as pg.QueryResult & { rows: R[] };
    } catch (error) {
      this.aborted?.throwIfAborted();
      throw queryFailure(error, this.query);
    } finally {
      this.running = false;
    }
  }
}

interface QueryConfig {
  text: string;
  values?: QueryParameter[];
  rowMode?: 'array';
  types?: unknown;
  /** Not in the types of pg 8.23: the protocol that allows one statement only, also without values. */
  queryMode?: 'extended';
}

/** Cells as PostgreSQL writes them, no conversion that could lose digits; booleans in words. */
const asWritten = {
  getTypeParser: (oid: number) =>
    kinds.get(oid) === 'boolean'
      ? (text: string) => (text === 't' ? 'true' : 'false')
      : (text: string) => text,
};

const { INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC, BOOL, DATE, TIMESTAMP, TIMESTAMPTZ } = pg.types.builtins;
const kinds = new Map<number, ColumnKind>([
  ...[INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC].map((oid) => [oid, 'number'] as const),
  [BOOL, 'boolean'],
  [DATE, 'date'],
  [TIMESTAMP, 'moment'],
  [TIMESTAMPTZ, 'moment'],
]);

function columnsOf(fields: readonly pg.FieldDef[]): Column[] {
  const names = columnNames(fields.map((field) => field.name));
  return fields.map((field, index) => ({
    name: names[index] as string,
    kind: kinds.get(field.dataTypeID) ?? 'text',
  }));
}

function plannedRows(row: unknown): number {
  const plans = (row as { 'QUERY PLAN'?: { Plan?: { 'Plan Rows'?: number } }[] } | undefined)?.['QUERY PLAN'];
  return plans?.[0]?.Plan?.['Plan Rows'] ?? 0;
}

function ignore(): void {}
