import type { JobContext } from '../model/job-context.js';
import type { Queryable } from './database.js';

/** The transaction of one attempt, as whoever settles it sees it. */
export interface AttemptTransaction {
  /** False when nothing was done in it; then there is nothing to commit. */
  readonly begun: boolean;
  /**
   * Commits, with what `last` writes in it; rolls back when `last` says false or fails.
   * @returns what `last` said. @throws StoreError; what the database refused at the commit.
   */
  commit(last: (on: Queryable) => Promise<boolean>): Promise<boolean>;
  /** @returns true when the store was lost meanwhile, which whatever failed may have come of. */
  rollback(): Promise<boolean>;
}

/** Gives each attempt a transaction of the store, begun when its handler first uses it. */
export interface AttemptTransactions {
  /** Before the handler is built; `commit` or `rollback` must follow. */
  open(job: JobContext): AttemptTransaction;
}
