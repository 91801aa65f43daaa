import type { Dialect, GivenRows, SqlRow, SqlValue } from '../model/sql.js';

export interface SqlResult<Row> {
  /** What the statement returned: rows of a SELECT, or of a RETURNING clause. */
  rows: Row[];
  /** How many rows it returned or changed. */
  changes: number;
}

/** Where statements run. Parameters are `$1`, `$2`, … in every dialect. */
export interface Queryable {
  readonly dialect: Dialect;

  /**
   * Runs one statement.
   * @throws StoreError: `JR_STORE_UNREACHABLE` when the store cannot be had now and trying later can help;
   * `JR_STORE_FAILED` when it refused the statement, with its own error as the cause.
   */
  query<Row extends SqlRow = SqlRow>(text: string, parameters?: readonly SqlValue[]): Promise<SqlResult<Row>>;

  /**
   * Runs one statement over many rows, in one round trip: its text uses them as the table `given`, as in
   * `INSERT INTO marks (key, at) SELECT key, at FROM given WHERE true ON CONFLICT DO NOTHING`.
   * (`WHERE true` because SQLite takes `ON CONFLICT` after a bare `FROM` for a join.)
   * @throws StoreError as `query`
   */
  queryMany<Row extends SqlRow = SqlRow>(
    text: string,
    given: GivenRows,
    parameters?: readonly SqlValue[],
  ): Promise<SqlResult<Row>>;
}

/** A transaction that is open. After its end every call fails with `JR_TRANSACTION_CLOSED`. */
export type Transaction = Queryable;

/**
 * The store as SQL: what keeps keys, records and outgoing jobs. Several processes use one at once.
 *
 * It connects when it is first used, and again after it was lost; nothing is repeated that may have been done.
 */
export interface Database extends Queryable {
  /** Where it is, without credentials. */
  readonly location: string;

  /**
   * Runs `work` in a transaction that sees what others have committed, and commits what it did when `work` resolves; rolls
   * it back when `work` rejects or any statement in it failed. Within `work` only `transaction` may be used: on SQLite
   * every other statement of this Database waits for the end of it.
   * @throws what `work` throws; StoreError as `query`. When the store was lost during the commit, the message says that
   * it may have been committed.
   */
  transaction<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result>;

  /** Waits for what is running, then disconnects. Safe to call again; everything else fails then with `JR_STORE_CLOSED`. */
  close(): Promise<void>;
}
