import type { PoolClient, QueryResult, QueryResultRow } from 'pg';
import { StoreError, toError } from '../../base/errors.js';
import type { JobContext } from '../../model/job-context.js';
import { JobTransaction } from '../../model/job-transaction.js';
import { transactionClosed } from '../../model/sql.js';
import type { AttemptTransaction, AttemptTransactions } from '../../ports/attempt-transactions.js';
import type { Database, Queryable } from '../../ports/database.js';
import type { PostgresTransaction } from './postgres-database.js';

/** Transactions for attempts, each on a connection of its own from first use to its end. */
export class PostgresJobTransactions implements AttemptTransactions {
  readonly #open = new WeakMap<JobContext, LazyTransaction>();

  /** @param database a PostgresDatabase. */
  constructor(private readonly database: Database) {}

  open(job: JobContext): AttemptTransaction {
    const transaction = new LazyTransaction(this.database);
    this.#open.set(job, transaction);
    return transaction;
  }

  /** That of the attempt which works on `job`; undefined when its handler is not idempotent. */
  of(job: JobContext): JobTransaction | undefined {
    return this.#open.get(job);
  }
}

class LazyTransaction extends JobTransaction implements AttemptTransaction {
  #begun: { client: Promise<PoolClient>; ended: Promise<boolean> } | undefined;
  #end: (last: (on: Queryable) => Promise<boolean>) => void = () => undefined;
  #over = false;

  constructor(private readonly database: Database) {
    super();
  }

  get begun(): boolean {
    return this.#begun !== undefined;
  }

  async query<Row extends QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<QueryResult<Row>> {
    const client = await this.client();
    if (this.#over) throw transactionClosed();
    return client.query<Row>(text, [...values]);
  }

  client(): Promise<PoolClient> {
    if (this.#over) return Promise.reject(transactionClosed());
    this.#begun ??= this.#begin();
    return this.#begun.client;
  }

  commit(last: (on: Queryable) => Promise<boolean>): Promise<boolean> {
    this.#over = true;
    this.#end(last);
    return this.#begun?.ended ?? Promise.resolve(false);
  }

  async rollback(): Promise<boolean> {
    let lost = false;
    const client = await this.#begun?.client.catch(() => undefined);
    const end = async () => {
      await client?.query('ROLLBACK').catch(() => (lost = true));
      return false;
    };
    await this.commit(end).catch((error: unknown) => {
      lost ||= error instanceof StoreError && error.code === 'JR_STORE_UNREACHABLE';
    });
    return lost;
  }

  #begin() {
    const work = new Promise<(on: Queryable) => Promise<boolean>>((resolve) => (this.#end = resolve));
    let ended: Promise<boolean> = Promise.resolve(false);
    const client = new Promise<PoolClient>((resolve, reject) => {
      ended = this.database
        .transaction(async (transaction) => {
          resolve((transaction as PostgresTransaction).client);
          const last = await work;
          if (!(await last(transaction))) throw new NotWanted();
          return true;
        })
        .catch((error: unknown) => {
          reject(toError(error)); // nobody hears it once it has begun
          if (error instanceof NotWanted) return false;
          throw error;
        });
    });
    ended.catch(() => undefined); // whoever ends it hears it
    client.catch(() => undefined);
    return { client, ended };
  }
}

/** Rolls a transaction back that nothing is wrong with. */
class NotWanted extends StoreError {
  constructor() {
    super('JR_TRANSACTION_CLOSED', 'The transaction is not wanted.');
  }
}
