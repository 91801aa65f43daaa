import Libsql from 'libsql';
import { resolve } from 'node:path';
import { type Clock, pause, systemClock } from '../../base/clock.js';
import { StoreError, toError } from '../../base/errors.js';
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

export interface SqliteOptions {
  /** Path of the file; it is made if it is not there, its folder is not. */
  file: string;
  /** How long to wait for other processes that write. Milliseconds, default 10,000. */
  busyTimeoutMs?: number;
  clock?: Clock;
}

type Connection = Libsql.Database;
type Statement = Libsql.Statement;

/**
 * SQLite in one file, by `libsql`; several processes of one host may use it at once (write-ahead log, one writer at a
 * time). What was committed is there after a SIGKILL; after a loss of power the last commits may be missing.
 *
 * libsql works in the thread that calls it. So it never waits there for a lock: a busy file is tried again a little
 * later, while the event loop goes on. One connection writes, a second reads beside it, so that a long transaction holds
 * up no reader.
 */
export class SqliteDatabase implements Database {
  readonly dialect = 'sqlite';
  readonly location: string;
  readonly #busyTimeoutMs: number;
  readonly #clock: Clock;
  #writer: StatementCache | undefined;
  #reader: StatementCache | undefined;
  #closed: Promise<void> | undefined;
  /** Resolves when all that was asked of the writer so far is done. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ file, busyTimeoutMs = 10_000, clock = systemClock }: SqliteOptions) {
    this.location = resolve(file);
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#clock = clock;
  }

  async query<Row extends SqlRow>(
    text: string,
    parameters: readonly SqlValue[] = [],
  ): Promise<SqlResult<Row>> {
    this.#refuseClosed();
    if (/^\s*SELECT\s/i.test(text)) {
      return this.#untilFree(() => run<Row>((this.#reader ??= this.#open()), text, parameters));
    }
    return this.#inTurn(() => this.#untilFree(() => run<Row>(this.#writing(), text, parameters)));
  }

  async queryMany<Row extends SqlRow>(
    text: string,
    given: GivenRows,
    parameters: readonly SqlValue[] = [],
  ): Promise<SqlResult<Row>> {
    this.#refuseClosed();
    return this.#inTurn(() => this.#untilFree(() => runMany<Row>(this.#writing(), text, given, parameters)));
  }

  async transaction<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    this.#refuseClosed();
    return this.#inTurn(async () => {
      const writer = await this.#untilFree(() => {
        const connection = this.#writing();
        connection.exec('BEGIN IMMEDIATE');
        return connection;
      });
      const transaction = new SqliteTransaction(writer, (error) => this.#storeError(error));
      try {
        const result = await work(transaction);
        transaction.open = false;
        if (transaction.failed) throw statementFailed();
        await this.#untilFree(() => writer.exec('COMMIT'));
        return result;
      } catch (error) {
        transaction.open = false;
        writer.rollback();
        throw error;
      }
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#inTurn(async () => {
      this.#reader?.close();
      this.#writer?.close();
    });
    return this.#closed;
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Does it; while another process has the lock, tries again. */
  async #untilFree<Result>(work: () => Result): Promise<Result> {
    const deadline = this.#clock.now() + this.#busyTimeoutMs;
    for (let tries = 0; ; tries++) {
      try {
        return work();
      } catch (error) {
        if (!isBusy(error)) throw this.#storeError(error);
        if (this.#clock.now() >= deadline) throw this.#locked(error);
        await pause(this.#clock, Math.random() * Math.min(25, 1 + tries));
      }
    }
  }

  #writing(): StatementCache {
    this.#writer ??= this.#open();
    return this.#writer;
  }

  #open(): StatementCache {
    const connection = new StatementCache(new Libsql(this.location, { timeout: 0 }));
    try {
      // Needs a moment without any other connection the first time; it is kept in the file then.
      run(connection, 'PRAGMA journal_mode = WAL', []);
      connection.exec('PRAGMA synchronous = NORMAL');
      // Of 2 MB and 4 MB, which are the defaults, every other page of a large store would be read and written again.
      connection.exec('PRAGMA cache_size = -32000');
      connection.exec('PRAGMA wal_autocheckpoint = 10000');
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  #refuseClosed(): void {
    if (this.#closed) throw storeClosed(this.location);
  }

  #locked(cause: unknown): StoreError {
    return new StoreError(
      'JR_STORE_UNREACHABLE',
      `${this.location} was locked by another process for ${this.#busyTimeoutMs} ms.`,
      { mend: 'End what holds a transaction open on it; or use PostgreSQL, which has many writers.', cause },
    );
  }

  #storeError(thrown: unknown): StoreError {
    if (thrown instanceof StoreError) return thrown;
    const error = toError(thrown) as Error & { code?: string };
    const passing = /SQLITE_(FULL|IOERR|CANTOPEN|READONLY)|Unable to open/.test(
      `${error.code} ${error.message}`,
    );
    return passing
      ? new StoreError('JR_STORE_UNREACHABLE', `${this.location}: ${error.message || error.code}.`, {
          mend: 'Check that its folder exists, that this process may write there, and that the disk is not full.',
          cause: error,
        })
      : new StoreError('JR_STORE_FAILED', `${this.location}: ${error.message} (${error.code}).`, {
          cause: error,
        });
  }
}

class SqliteTransaction implements Transaction {
  readonly dialect = 'sqlite';
  open = true;
  failed = false;

  constructor(
    private readonly connection: StatementCache,
    private readonly storeError: (error: unknown) => StoreError,
  ) {}

  query<Row extends SqlRow>(text: string, parameters: readonly SqlValue[] = []): Promise<SqlResult<Row>> {
    return this.#do(() => run<Row>(this.connection, text, parameters));
  }

  queryMany<Row extends SqlRow>(
    text: string,
    given: GivenRows,
    parameters: readonly SqlValue[] = [],
  ): Promise<SqlResult<Row>> {
    return this.#do(() => runMany<Row>(this.connection, text, given, parameters));
  }

  async #do<Result>(work: () => Result): Promise<Result> {
    if (!this.open) throw transactionClosed();
    if (this.failed) throw statementFailed();
    try {
      return work();
    } catch (error) {
      this.failed = true;
      throw this.storeError(error);
    }
  }
}

const mostStatements = 200;

/** A connection with its prepared statements, by text. */
class StatementCache {
  readonly #statements = new Map<string, Statement>();
  constructor(private readonly connection: Connection) {}

  statement(text: string): Statement {
    let statement = this.#statements.get(text);
    if (!statement) {
      // SQLite takes `$1` for a name; `?1` is the first parameter.
      statement = this.connection.prepare(text.replace(/\$(\d+)/g, '?$1'));
      if (this.#statements.size >= mostStatements) this.#statements.clear();
      this.#statements.set(text, statement);
    }
    return statement;
  }

  exec(text: string): void {
    this.connection.exec(text);
  }

  rollback(): void {
    if (this.connection.inTransaction) this.connection.exec('ROLLBACK');
  }

  close(): void {
    this.#statements.clear();
    this.connection.close();
  }
}

function run<Row extends SqlRow>(
  connection: StatementCache,
  text: string,
  parameters: readonly SqlValue[],
): SqlResult<Row> {
  // libsql ends the process for a value that it does not know.
  parameters.forEach(checkSqlValue);
  const statement = connection.statement(text);
  const values = parameters.map(bound);
  if (!statement.reader) return { rows: [], changes: statement.run(values).changes };
  const rows = (statement.all(values) as Row[]).map(withBuffers);
  return { rows, changes: rows.length };
}

function runMany<Row extends SqlRow>(
  connection: StatementCache,
  text: string,
  given: GivenRows,
  parameters: readonly SqlValue[],
): SqlResult<Row> {
  given.rows.forEach((row) => row.forEach(checkSqlValue));
  const values = Object.keys(given.columns).map((_, column) => `value ->> ${column}`);
  const source = `SELECT ${values.join(', ')} FROM json_each($${parameters.length + 1})`;
  return run<Row>(connection, withGiven(text, given, source), [...parameters, JSON.stringify(given.rows)]);
}

/** libsql takes every number for a fraction, and an integer only as a bigint. */
function bound(value: SqlValue): SqlValue | bigint {
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
}

function withBuffers<Row extends SqlRow>(row: Row): Row {
  for (const name in row) {
    const value: unknown = row[name];
    if (value instanceof ArrayBuffer) row[name] = Buffer.from(value) as unknown as Row[typeof name];
  }
  return row;
}

function isBusy(thrown: unknown): boolean {
  const { code = '', message }: Error & { code?: string } = toError(thrown);
  return code.startsWith('SQLITE_BUSY') || message.includes('database is locked');
}
