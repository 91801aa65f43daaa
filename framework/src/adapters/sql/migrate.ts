import { StoreError } from '../../base/errors.js';
import type { Dialect } from '../../model/sql.js';
import type { Database, Transaction } from '../../ports/database.js';

/** One step of a component's tables, from the version before to the next. Never changed once it was released. */
export interface Migration {
  /** In words, kept in the store. */
  name: string;
  /** Statements, each without parameters; or what makes them, where the dialects differ. */
  statements: readonly string[] | ((dialect: Dialect) => readonly string[]);
}

const table = 'jobrail_migrations';

/**
 * Brings the tables of a component to the newest version: runs the steps that are missing, each once, in order, all in one
 * transaction. Several processes may do it at once: one does the work, the others wait for it.
 * @param steps the n-th makes version n.
 * @returns how many steps were run.
 * @throws StoreError (`JR_STORE_NEWER`) when the store knows more steps than `steps`; nothing is changed then.
 */
export async function migrate(
  database: Database,
  component: string,
  steps: readonly Migration[],
): Promise<number> {
  // Most starts find everything done: they look without taking the lock that a transaction would.
  const before = await versionOf(database, component).catch(() => 0);
  refuseNewer(database, component, before, steps.length);
  if (before === steps.length) return 0;
  return database.transaction(async (transaction) => {
    await takeTurn(transaction);
    await transaction.query(
      `CREATE TABLE IF NOT EXISTS ${table} (
        component TEXT NOT NULL,
        version BIGINT NOT NULL,
        name TEXT NOT NULL,
        applied_at BIGINT NOT NULL,
        PRIMARY KEY (component, version)
      )`,
    );
    const version = await versionOf(transaction, component);
    refuseNewer(database, component, version, steps.length);
    for (const [done, { name, statements }] of steps.entries()) {
      if (done < version) continue;
      const texts = typeof statements === 'function' ? statements(transaction.dialect) : statements;
      for (const text of texts) await transaction.query(text);
      await transaction.query(
        `INSERT INTO ${table} (component, version, name, applied_at) VALUES ($1, $2, $3, $4)`,
        [component, done + 1, name, Date.now()],
      );
    }
    return steps.length - version;
  });
}

/** SQLite has one writer at a time anyhow; PostgreSQL is told to. The number is "jobrail" by telephone keys. */
async function takeTurn(transaction: Transaction): Promise<void> {
  if (transaction.dialect === 'postgres') await transaction.query('SELECT pg_advisory_xact_lock(5627245)');
}

async function versionOf(on: Database | Transaction, component: string): Promise<number> {
  const { rows } = await on.query<{ version: number }>(
    `SELECT COALESCE(MAX(version), 0) AS version FROM ${table} WHERE component = $1`,
    [component],
  );
  return rows[0]!.version;
}

function refuseNewer({ location }: Database, component: string, found: number, known: number): void {
  if (found <= known) return;
  throw new StoreError(
    'JR_STORE_NEWER',
    `The tables of ${component} in ${location} have version ${found}; this version of Jobrail knows ${known}.`,
    { mend: 'Update Jobrail in this service, or give it a store of its own.' },
  );
}
