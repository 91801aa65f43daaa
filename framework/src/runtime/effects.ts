import { ContainerModule } from 'inversify';
import { PostgresJobTransactions } from '../adapters/postgres/job-transactions.js';
import { SqlIdempotencyStore } from '../adapters/sql/sql-idempotency-store.js';
import type { Clock } from '../base/clock.js';
import { ConfigError } from '../base/errors.js';
import { idempotencyFilter } from '../filters/idempotency.js';
import { uniqueFilter } from '../filters/unique.js';
import type { Filter } from '../model/filter.js';
import { JobContext, type JobLog } from '../model/job-context.js';
import { JobTransaction } from '../model/job-transaction.js';
import type { Database } from '../ports/database.js';
import type { IdempotencyStore } from '../ports/idempotency-store.js';
import type { UniqueStore } from '../ports/unique-store.js';
import type { BoundHandler } from './handlers.js';
import { UniqueJobs } from './unique-jobs.js';

export interface EffectsOptions {
  clock: Clock;
  log: JobLog;
  /** Each instead of keys in the database. */
  idempotencyStore?: IdempotencyStore | undefined;
  uniqueStore?: UniqueStore | undefined;
  prefix: string;
  /** The store of the service; asked for when a handler or job needs it. */
  store: { open(): Promise<Database> | undefined; openOrDefault(): Promise<Database> };
}

/** What the idempotent handlers and unique jobs of a service need: the store of their keys, and transactions on it. Opened for
 * nothing else. */
export class Effects {
  #store: IdempotencyStore | undefined;
  #database: Database | undefined;
  #transactions: PostgresJobTransactions | undefined;
  readonly unique: UniqueJobs;

  constructor(private readonly options: EffectsOptions) {
    this.unique = new UniqueJobs({ ...options, openDatabase: () => options.store.open() });
  }

  readonly module = transactionModule(() => this.#transactions);

  /** Opens the store, and makes or updates its tables, if a handler is idempotent. @throws StoreError, ConfigError */
  async open(handlers: readonly BoundHandler[]): Promise<void> {
    if (!handlers.some(({ idempotency }) => idempotency)) return;
    const { idempotencyStore, clock, log } = this.options;
    if (idempotencyStore) {
      this.#store = idempotencyStore;
      return;
    }
    this.#database = await this.options.store.openOrDefault();
    if (this.#database.dialect === 'postgres') {
      this.#transactions = new PostgresJobTransactions(this.#database);
    }
    this.#store = await SqlIdempotencyStore.open(this.#database, clock);
    log.info({ store: this.#database.location }, 'idempotent jobs are remembered in the store');
  }

  /** The filters around the attempts of a handler. */
  filtersFor({ idempotency, retry }: BoundHandler): Filter[] {
    const { clock, log } = this.options;
    // Unique jobs first: they may get another payload, of which the key is made.
    const unique = uniqueFilter(() => this.unique.store(), log);
    if (!idempotency) return [unique];
    const transactions = this.#transactions;
    return [
      unique,
      idempotencyFilter({ ...idempotency, store: this.#store!, transactions, retry, clock, log }),
    ];
  }

  /** The store itself is closed by whom it belongs to. */
  async close(): Promise<void> {
    await this.unique.close();
    if (this.#store !== this.options.idempotencyStore) await this.#store?.close();
  }
}

/** Binds `JobTransaction` for what handlers are built with. @param open those that there are, where the store has any. */
export function transactionModule(open: () => PostgresJobTransactions | undefined): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(JobTransaction).toResolvedValue((job: JobContext) => transactionOf(job, open()), [JobContext]);
  });
}

function transactionOf(job: JobContext, transactions: PostgresJobTransactions | undefined): JobTransaction {
  const transaction = transactions?.of(job);
  if (transaction) return transaction;
  throw new ConfigError(
    'JR_CONFIG_INVALID',
    `The handler of "${job.contract}" asks for a JobTransaction, but is not idempotent, or the store is no PostgreSQL.`,
    {
      mend: 'Give "idempotency" in its @Job, and a postgres:// URL as "store" of JobService or in JOBRAIL_STORE_URL.',
    },
  );
}
