import type { PoolClient, QueryResult, QueryResultRow } from 'pg';

/**
 * The transaction of an attempt, on the PostgreSQL that is the store of the service. An idempotent handler, or what it is
 * built with, asks for it in its constructor (`@inject(JobTransaction)`), and does in it what must happen exactly once: the
 * mark that the job is done is written in it too. It begins at its first use, is committed when the handler has
 * returned, and rolled back when the attempt ends in any other way, or when the job turns out to have been taken over.
 */
export abstract class JobTransaction {
  /** Runs a statement in it, as `pg` does. Errors are those of `pg`; after one, only a rollback is possible. */
  abstract query<Row extends QueryResultRow = QueryResultRow>(
    text: string,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>>;

  /**
   * The connection it runs on, for a query builder, which must not commit or roll back itself. Not to be used after the
   * handler has returned.
   */
  abstract client(): Promise<PoolClient>;
}
