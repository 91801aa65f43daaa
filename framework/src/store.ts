import { ConfigError } from './base/errors.js';
import { redact } from './base/redact.js';
import type { Database } from './ports/database.js';

export { migrate, type Migration } from './adapters/sql/migrate.js';
export { StoreError } from './base/errors.js';
export type { Dialect, GivenRows, SqlRow, SqlValue } from './model/sql.js';
export type { Database, Queryable, SqlResult, Transaction } from './ports/database.js';

/** The file that is used where no store is configured. */
export const defaultStoreUrl = 'sqlite:jobrail.sqlite';

export interface StoreOptions {
  /** Transactions at once, each on a connection of its own, where the store can have several. Default 10. */
  mostTransactions?: number;
}

/**
 * The store that a URL names: `sqlite:<path>` is a file, `postgres://…` a PostgreSQL. Nothing is opened before its first
 * use. The driver is loaded now, and only that of this store.
 * @param url Default: JOBRAIL_STORE_URL, else `sqlite:jobrail.sqlite` in the working directory.
 * @throws ConfigError for another kind of URL, or when the driver cannot be loaded on this platform.
 */
export async function openStore(
  url: string = process.env['JOBRAIL_STORE_URL'] ?? defaultStoreUrl,
  options: StoreOptions = {},
): Promise<Database> {
  const [scheme] = url.split(':', 1);
  if (scheme === 'sqlite') {
    const { SqliteDatabase } = await loaded('libsql', () => import('./adapters/sqlite/sqlite-database.js'));
    return new SqliteDatabase({ file: url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '') });
  }
  if (scheme === 'postgres' || scheme === 'postgresql') {
    const { PostgresDatabase } = await loaded('pg', () => import('./adapters/postgres/postgres-database.js'));
    return new PostgresDatabase({ ...options, url });
  }
  throw new ConfigError('JR_CONFIG_INVALID', `The store ${redact(url)} is of no kind that Jobrail knows.`, {
    mend: 'Give "sqlite:<path of a file>" or "postgres://user:password@host/database".',
  });
}

/** The store that a client or service was given: opened at its first use, once, and closed with it unless it was given open. */
export class ConfiguredStore {
  #opening: Promise<Database> | undefined;

  constructor(
    private readonly given: string | Database | undefined,
    private readonly options: () => StoreOptions = () => ({}),
  ) {}

  /** Whether somebody said which store it is. */
  get isSet(): boolean {
    return (this.given ?? (process.env['JOBRAIL_STORE_URL'] || undefined)) !== undefined;
  }

  /** Undefined where none is configured. @throws ConfigError as `openStore` */
  open(): Promise<Database> | undefined {
    return this.isSet ? this.openOrDefault() : undefined;
  }

  /** The default store where none is configured. @throws ConfigError as `openStore` */
  openOrDefault(): Promise<Database> {
    if (typeof this.given === 'object') return Promise.resolve(this.given);
    this.#opening ??= openStore(this.given, this.options());
    return this.#opening;
  }

  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => undefined);
    await opened?.close();
  }
}

async function loaded<Module>(driver: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    throw new ConfigError('JR_CONFIG_INVALID', `"${driver}", the driver of the store, cannot be loaded.`, {
      mend: `Run npm install ${driver}; libsql is prebuilt for Linux, macOS and Windows on the usual processors.`,
      cause,
    });
  }
}
