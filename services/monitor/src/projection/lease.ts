import { randomUUID } from 'node:crypto';
import type { Database, Dialect, Queryable } from 'jobrail/store';

/** How long a replica that has gone silent keeps the others waiting. Milliseconds. */
const leaseMs = 10_000;

/** The clock of the store, because those of the replicas differ. Milliseconds since 1970. */
export function storeNow(dialect: Dialect): string {
  return dialect === 'sqlite'
    ? `CAST(unixepoch('subsec') * 1000 AS INTEGER)`
    : `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)`;
}

/**
 * The right to write the records, held by one replica at a time. It is asked for as a lease, and made sure of in every
 * transaction that writes (`confirm`): a replica that lost it without noticing changes nothing.
 */
export class Lease {
  readonly holder = randomUUID();

  constructor(private readonly database: Database) {}

  /** Between two renewals. Milliseconds. */
  readonly renewEveryMs = leaseMs / 4;

  /** Takes or renews it. @returns false while another replica has it. */
  async take(): Promise<boolean> {
    const now = storeNow(this.database.dialect);
    const { changes } = await this.database.query(
      `UPDATE monitor_projection SET holder = $1, lease_until = ${now} + ${leaseMs}
       WHERE id = 1 AND (holder = $1 OR lease_until < ${now})`,
      [this.holder],
    );
    return changes === 1;
  }

  /** Lets another have it at once. */
  async release(): Promise<void> {
    await this.database.query(`UPDATE monitor_projection SET lease_until = 0 WHERE id = 1 AND holder = $1`, [
      this.holder,
    ]);
  }

  /** Locks it within a transaction. @throws LeaseLost */
  async confirm(transaction: Queryable): Promise<void> {
    const { changes } = await transaction.query(
      `UPDATE monitor_projection SET holder = holder WHERE id = 1 AND holder = $1`,
      [this.holder],
    );
    if (changes !== 1) throw new LeaseLost();
  }
}

/** Another replica writes the records now. */
export class LeaseLost extends Error {
  constructor() {
    super('another replica projects the events now');
    this.name = 'LeaseLost';
  }
}
