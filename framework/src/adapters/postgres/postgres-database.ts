import pg from 'pg';
import { StoreError, toError } from '../../base/errors.js';
import { Fifo } from '../../base/fifo.js';
import { redact } from '../../base/redact.js';
import {
  checkSqlValue,
  type GivenRows,
  type SqlRow,
  type SqlValue,
  statementFailed,
  storeClosed,
  transactionClosed,
  withGiven,
} from '../../model/sql.js';
import type { Database, SqlResult, Transaction } from '../../ports/database.js';
import type { PostgresOptions } from './postgres-options.js';
import { PostgresListening } from './postgres-listening.js';

export type { PostgresOptions };

const pgTypes = { text: 'text', bigint: 'bigint', double: 'double precision' } as const;

/** A column of given rows. PostgreSQL takes no half of a surrogate pair; it becomes what UTF-8 makes of it. */
function columnJson(rows: GivenRows['rows'], column: number): string {
  const values = rows.map((row) => row[column]);
  const json = JSON.stringify(values);
  if (!/\\ud[89a-f]/.test(json)) return json;
  return JSON.stringify(
    values.map((value) => (typeof value === 'string' ? value.replace(/\p{Surrogate}/gu, '\ufffd') : value)),
  );
}

/** Whole numbers and decimals as numbers; pg gives text for them, because they may be beyond 2^53. */
const types = new pg.TypeOverrides();
types.setTypeParser(pg.types.builtins.INT8, Number);
types.setTypeParser(pg.types.builtins.NUMERIC, Number);

/**
 * PostgreSQL by `pg`. Statements and transactions have connections of their own: however long the transactions of others
 * take, a statement does not wait for them.
 */
export class PostgresDatabase implements Database {
  readonly dialect = 'postgres';
  readonly location: string;
  readonly #options: PostgresOptions;
  readonly #pool: pg.Pool;
  readonly #transactions: pg.Pool;
  readonly #places: Places;
  #closed: Promise<void> | undefined;

  constructor(options: PostgresOptions) {
    const { url, poolSize = 5, mostTransactions = 10 } = options;
    this.location = redact(url.replace(/\?.*/s, ''));
    this.#options = options;
    this.#pool = poolOf(options, poolSize);
    this.#transactions = poolOf(options, mostTransactions);
    this.#places = new Places(mostTransactions);
  }

  async query<Row extends SqlRow>(
    text: string,
    parameters: readonly SqlValue[] = [],
  ): Promise<SqlResult<Row>> {
    this.#refuseClosed();
    return this.run<Row>(this.#pool, text, parameters);
  }

  async queryMany<Row extends SqlRow>(
    text: string,
    given: GivenRows,
    parameters: readonly SqlValue[] = [],
  ): Promise<SqlResult<Row>> {
    this.#refuseClosed();
    return this.runMany<Row>(this.#pool, text, given, parameters);
  }

  async transaction<Result>(work: (transaction: PostgresTransaction) => Promise<Result>): Promise<Result> {
    this.#refuseClosed();
    return this.#places.occupy(async () => {
      const client = await this.#transactions.connect().catch((error: unknown) => {
        throw this.#storeError(error);
      });
      let lost: Error | undefined;
      const transaction = new PostgresTransaction(client, this);
      try {
        await this.run(client, 'BEGIN', []);
        const result = await work(transaction);
        transaction.open = false;
        await this.#commit(client);
        return result;
      } catch (error) {
        transaction.open = false;
        await client.query('ROLLBACK').catch((failure: unknown) => (lost = toError(failure)));
        throw error;
      } finally {
        // A connection of which it is not known how it stands is not used again.
        client.release(lost);
      }
    });
  }

  /**
   * Calls `hear` at each NOTIFY on a channel, and when the connection is back after it was lost: what was said meanwhile
   * was not heard.
   * @throws StoreError when it cannot be reached now.
   */
  async listen(channel: string, hear: () => void): Promise<{ close(): Promise<void> }> {
    this.#refuseClosed();
    const listening = new PostgresListening(this.#options, channel, hear);
    await listening.open().catch((error: unknown) => {
      throw this.#storeError(error);
    });
    return listening;
  }

  close(): Promise<void> {
    this.#closed ??= Promise.all([this.#pool.end(), this.#transactions.end()]).then(() => undefined);
    return this.#closed;
  }

  /** PostgreSQL answers the COMMIT of a transaction in which a statement failed with a rollback, and no error. */
  async #commit(client: pg.PoolClient): Promise<void> {
    const { command } = await client.query('COMMIT').catch((error: unknown) => {
      const cause = this.#storeError(error);
      if (cause.code !== 'JR_STORE_UNREACHABLE') throw cause;
      throw new StoreError(
        'JR_STORE_UNREACHABLE',
        `${cause.message} The transaction may have been committed.`,
        {
          cause: error,
        },
      );
    });
    if (command !== 'COMMIT') throw statementFailed();
  }

  /** @internal */
  async run<Row extends SqlRow>(
    on: pg.Pool | pg.PoolClient,
    text: string,
    values: readonly SqlValue[],
  ): Promise<SqlResult<Row>> {
    values.forEach(checkSqlValue);
    try {
      const { rows, rowCount } = await on.query<Row>({ text, values: [...values], types });
      return { rows, changes: rowCount ?? 0 };
    } catch (error) {
      throw this.#storeError(error);
    }
  }

  /** @internal */
  async runMany<Row extends SqlRow>(
    on: pg.Pool | pg.PoolClient,
    text: string,
    given: GivenRows,
    values: readonly SqlValue[],
  ): Promise<SqlResult<Row>> {
    values.forEach(checkSqlValue);
    given.rows.forEach((row) => row.forEach(checkSqlValue));
    // A column is a JSON array: PostgreSQL's own arrays take twice the time to write here.
    const columns = Object.values(given.columns);
    const names = columns.map((_, i) => `c${i}`);
    const places = columns.map((_, i) => `json_array_elements_text($${values.length + i + 1}::json)`);
    const source = `SELECT ${columns.map((type, i) => `c${i}::${pgTypes[type]}`).join(', ')}
      FROM ROWS FROM (${places.join(', ')}) AS g (${names.join(', ')})`;
    try {
      const { rows, rowCount } = await on.query<Row>({
        text: withGiven(text, given, source),
        values: [...values, ...columns.map((_, i) => columnJson(given.rows, i))],
        types,
      });
      return { rows, changes: rowCount ?? 0 };
    } catch (error) {
      throw this.#storeError(error);
    }
  }

  #refuseClosed(): void {
    if (this.#closed) throw storeClosed(this.location);
  }

  #storeError(thrown: unknown): StoreError {
    const error = toError(thrown);
    const { code } = error as Error & { code?: unknown };
    const refused = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !passing.test(code);
    return refused
      ? new StoreError('JR_STORE_FAILED', `${this.location}: ${redact(error.message)} (${code}).`, {
          cause: error,
        })
      : new StoreError('JR_STORE_UNREACHABLE', `${this.location}: ${redact(reasonOf(error))}.`, {
          mend: 'Check that PostgreSQL runs and that host, port, user, password and database are right.',
          cause: error,
        });
  }
}

/** A transaction of PostgreSQL; `client` is its connection, for whatever takes one of `pg`. */
export class PostgresTransaction implements Transaction {
  readonly dialect = 'postgres';
  open = true;

  constructor(
    readonly client: pg.PoolClient,
    private readonly database: PostgresDatabase,
  ) {}

  async query<Row extends SqlRow>(
    text: string,
    parameters: readonly SqlValue[] = [],
  ): Promise<SqlResult<Row>> {
    if (!this.open) throw transactionClosed();
    return this.database.run<Row>(this.client, text, parameters);
  }

  async queryMany<Row extends SqlRow>(
    text: string,
    given: GivenRows,
    parameters: readonly SqlValue[] = [],
  ): Promise<SqlResult<Row>> {
    if (!this.open) throw transactionClosed();
    return this.database.runMany<Row>(this.client, text, given, parameters);
  }
}

function poolOf(
  { url, connectTimeoutMs = 5_000, statementTimeoutMs = 30_000 }: PostgresOptions,
  max: number,
) {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: statementTimeoutMs,
    keepAlive: true,
    application_name: 'jobrail',
  });
  // A connection that is lost while nothing uses it is no news; while in use, its query fails.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** So many at once; the others wait in line, for as long as it takes. */
class Places {
  readonly #waiting = new Fifo<() => void>();
  constructor(private free: number) {}

  async occupy<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.free--;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.free++;
    }
  }
}

/**
 * SQLSTATEs of what passes: connection, resources, shutdown, deadlock or serialisation, a lock not to be had, a replica
 * that is not the primary yet.
 */
const passing = /^(08|53|57|40|55|25006)/;

/** Node tries each address of a name and puts what came of it into an AggregateError without a message. */
function reasonOf(error: Error): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return (first === undefined ? error : toError(first)).message;
}
