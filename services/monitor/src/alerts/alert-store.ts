import type { Database, Queryable } from 'jobrail/store';
import type { Finding } from './alert-rules.js';

/** An alert, while it holds and after. Moments are of the clock of the replica that watches. */
export interface Alert extends Finding {
  since: number;
  resolvedAt?: number | undefined;
  /** When its last change, or its repetition, was told. */
  toldAt?: number | undefined;
}

interface AlertRow extends Record<string, string | number | null> {
  id: string;
  since: number;
  resolved_at: number | null;
  told_at: number | null;
  told: number;
  record: string;
}

/** An alert with what receivers know of it. */
export interface KnownAlert extends Alert {
  /** They were told that it holds, and not that it is over. */
  told: boolean;
}

/** The alerts, in the store, so that another replica goes on where one ended. */
export class AlertStore {
  constructor(private readonly database: Database) {}

  async list(): Promise<Alert[]> {
    return (await this.known()).slice(0, 500).map(({ told: _, ...alert }) => alert);
  }

  /** Those that hold first, then the newest first. */
  async known(): Promise<KnownAlert[]> {
    const { rows } = await this.database.query<AlertRow>(
      `SELECT id, since, resolved_at, told_at, told, record FROM monitor_alerts
       ORDER BY CASE WHEN resolved_at IS NULL THEN 0 ELSE 1 END, since DESC LIMIT 2000`,
    );
    return rows.map(({ since, resolved_at, told_at, told, record }) => ({
      ...(JSON.parse(record) as Finding),
      since,
      resolvedAt: resolved_at ?? undefined,
      toldAt: told_at ?? undefined,
      told: told === 1,
    }));
  }

  async write(on: Queryable, alerts: readonly KnownAlert[]): Promise<void> {
    if (alerts.length === 0) return;
    await on.queryMany(
      `INSERT INTO monitor_alerts (id, rule, since, resolved_at, told_at, told, record)
       SELECT id, rule, since, resolved_at, told_at, told, record FROM given WHERE true
       ON CONFLICT (id) DO UPDATE SET since = excluded.since, resolved_at = excluded.resolved_at,
         told_at = excluded.told_at, told = excluded.told, record = excluded.record`,
      {
        columns: {
          id: 'text',
          rule: 'text',
          since: 'bigint',
          resolved_at: 'bigint',
          told_at: 'bigint',
          told: 'bigint',
          record: 'text',
        },
        rows: alerts.map(({ since, resolvedAt, toldAt, told, ...finding }) => [
          ...[finding.id, finding.rule, since, resolvedAt ?? null, toldAt ?? null, told ? 1 : 0],
          JSON.stringify(finding),
        ]),
      },
    );
  }
}
