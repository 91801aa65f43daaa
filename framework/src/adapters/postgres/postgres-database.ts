import pg from 'pg';
import { StoreError, toError } from '../../base/errors.js';
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

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`; `?options=-c search_path=…` chooses a schema. */
  url: string;
  /** Connections at most. Default 10. */
  poolSize?: number;
  /** How long a connection may take, and the wait for a free one. Milliseconds, default 5,000. */
  connectTimeoutMs?: number;
  /** How long a statement may take before its connection is given up. Milliseconds, default 30,000. */
  statementTimeoutMs?: number;
}

const pgTypes = { text: 'text', bigint: 'bigint', double: 'double precision' } as const;

/** Whole numbers and decimals as numbers; pg gives text for them, because they may be beyond 2^53. */
const types = new pg.TypeOverrides();
types.setTypeParser(pg.types.builtins.INT8, Number);
types.setTypeParser(pg.types.builtins.NUMERIC, Number);

/** PostgreSQL by `pg`: a pool, and a connection of its own for each transaction. */
export class PostgresDatabase implements Database {
  readonly dialect = 'postgres';
  readonly location: string;
  readonly #pool: pg.Pool;
  #closed: Promise<void> | undefined;

  constructor({
    url,
    poolSize = 10,
    connectTimeoutMs = 5_000,
    statementTimeoutMs = 30_000,
  }: PostgresOptions) {
    this.location = redact(url);
    this.#pool = new pg.Pool({
      connectionString: url,
      max: poolSize,
      connectionTimeoutMillis: connectTimeoutMs,
      query_timeout: statementTimeoutMs,
      keepAlive: true,
      application_name: 'jobrail',
      allowExitOnIdle: false,
    });
    // A connection that is lost while nothing uses it is no news; while in use, its query fails.
    this.#pool.on('error', () => undefined);
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
  }

  async query<Row extends SqlRow>(
    text: string,
    parameters: readonly SqlValue[] = [],
  ): Promise<SqlResult<Row>> {
    this.#refuseClosed();
    return this.#run<Row>(this.#pool, text, parameters);
  }

  async queryMany<Row extends SqlRow>(
    text: string,
    given: GivenRows,
    parameters: readonly SqlValue[] = [],
  ): Promise<SqlResult<Row>> {
    this.#refuseClosed();
    return this.#runMany<Row>(this.#pool, text, given, parameters);
  }

  async transaction<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    this.#refuseClosed();
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw this.#storeError(error);
    });
    let open = true;
    let failure: unknown;
    const refuseEnded = () => {
      if (!open) throw transactionClosed();
    };
    const transaction: Transaction = {
      dialect: this.dialect,
      query: async (text, parameters = []) => (refuseEnded(), this.#run(client, text, parameters)),
      queryMany: async (text, given, parameters = []) => (
        refuseEnded(),
        this.#runMany(client, text, given, parameters)
      ),
    };
    try {
      await this.#run(client, 'BEGIN', []);
      const result = await work(transaction);
      open = false;
      await this.#commit(client);
      return result;
    } catch (error) {
      open = false;
      failure = error;
      const rolledBack = await client.query('ROLLBACK').then(
        () => true,
        () => false,
      );
      if (rolledBack) failure = undefined;
      throw error;
    } finally {
      // A connection of which it is not known how it stands is not used again.
      client.release(failure === undefined ? undefined : toError(failure));
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#pool.end();
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

  async #run<Row extends SqlRow>(
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

  async #runMany<Row extends SqlRow>(
    on: pg.Pool | pg.PoolClient,
    text: string,
    given: GivenRows,
    values: readonly SqlValue[],
  ): Promise<SqlResult<Row>> {
    values.forEach(checkSqlValue);
    given.rows.forEach((row) => row.forEach(checkSqlValue));
    const arrays = Object.values(given.columns).map((type, column) => ({
      place: `$${values.length + column + 1}::${pgTypes[type]}[]`,
      values: given.rows.map((row) => row[column]),
    }));
    const source = `SELECT * FROM unnest(${arrays.map(({ place }) => place).join(', ')})`;
    try {
      const { rows, rowCount } = await on.query<Row>({
        text: withGiven(text, given, source),
        values: [...values, ...arrays.map((array) => array.values)],
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
