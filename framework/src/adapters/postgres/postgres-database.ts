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
import { columnLiteral } from './array-literal.js';
import { PostgresListening } from './postgres-listening.js';

export type { PostgresOptions };

const pgTypes = { text: 'text', bigint: 'bigint', double: 'double precision' } as const;

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
    return this.run<Row>(this.#pool, { text, values: readyValues(parameters) });
  }

  async queryMany<Row extends SqlRow>(
    text: string,
    given: GivenRows,
    parameters: readonly SqlValue[] = [],
  ): Promise<SqlResult<Row>> {
    this.#refuseClosed();
    return this.run<Row>(this.#pool, readyMany(text, given, parameters));
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
        await this.run(client, { text: 'BEGIN', values: [] });
        const result = await work(transaction);
        await transaction.end();
        await this.#commit(client);
        return result;
      } catch (error) {
        await transaction.end();
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
  async run<Row extends SqlRow>(on: pg.Pool | pg.PoolClient, statement: Statement): Promise<SqlResult<Row>> {
    try {
      const { rows, rowCount } = await on.query<Row>({ ...statement, types });
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

/**
 * A transaction of PostgreSQL; `client` is its connection, for whatever takes one of `pg`. Statements that are asked for
 * while one is under way are made ready at once, and sent when it is done.
 */
export class PostgresTransaction implements Transaction {
  readonly dialect = 'postgres';
  #open = true;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    readonly client: pg.PoolClient,
    private readonly database: PostgresDatabase,
  ) {}

  async query<Row extends SqlRow>(
    text: string,
    parameters: readonly SqlValue[] = [],
  ): Promise<SqlResult<Row>> {
    return this.#inTurn<Row>({ text, values: readyValues(parameters) });
  }

  async queryMany<Row extends SqlRow>(
    text: string,
    given: GivenRows,
    parameters: readonly SqlValue[] = [],
  ): Promise<SqlResult<Row>> {
    return this.#inTurn<Row>(readyMany(text, given, parameters));
  }

  /** Takes no more statements; resolves when none is under way. */
  end(): Promise<unknown> {
    this.#open = false;
    return this.#last;
  }

  #inTurn<Row extends SqlRow>(statement: Statement): Promise<SqlResult<Row>> {
    this.#refuseClosed();
    const result = this.#last.then(() => {
      this.#refuseClosed();
      return this.database.run<Row>(this.client, statement);
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  #refuseClosed(): void {
    if (!this.#open) throw transactionClosed();
  }
}

interface Statement {
  text: string;
  values: SqlValue[];
}

/** @throws StoreError for what no store can hold. */
function readyValues(values: readonly SqlValue[]): SqlValue[] {
  values.forEach(checkSqlValue);
  return [...values];
}

/** @throws StoreError for what no store can hold. */
function readyMany(text: string, given: GivenRows, parameters: readonly SqlValue[]): Statement {
  const values = readyValues(parameters);
  given.rows.forEach((row) => row.forEach(checkSqlValue));
  const columns = Object.values(given.columns);
  // The inner SELECT hides how many rows there are: knowing that, the planner would read whole tables for them.
  const arrays = columns.map((type, i) => `(SELECT $${parameters.length + i + 1}::${pgTypes[type]}[])`);
  const source = `SELECT * FROM unnest(${arrays.join(', ')}) AS g`;
  columns.forEach((type, i) => values.push(columnLiteral(given.rows, i, type)));
  return { text: withGiven(text, given, source), values };
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
