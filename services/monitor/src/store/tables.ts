import type { Dialect, Migration } from 'jobrail/store';

/** The tables of the monitor, all named `monitor_…`. README.md tells what is in them. */
export const tables: readonly Migration[] = [
  { name: 'job records', statements: jobRecords },
  {
    name: 'streams that take the place of others',
    statements: [`ALTER TABLE monitor_projection ADD COLUMN stream_base BIGINT NOT NULL DEFAULT 0`],
  },
  {
    name: 'values in lists',
    statements: (dialect) => [
      `DROP TABLE monitor_tokens`,
      `CREATE TABLE monitor_values (
        segment BIGINT NOT NULL,
        bucket BIGINT NOT NULL,
        first_seq BIGINT NOT NULL,
        list TEXT NOT NULL,
        PRIMARY KEY (segment, bucket, first_seq)
      ) ${clustered(dialect)}`,
      // What was recorded before is found by its values again as far as the stream goes back.
      `UPDATE monitor_projection SET rebuild_asked = 1`,
    ],
  },
];

/** A table that is its own index where the store has such. */
const clustered = (dialect: Dialect) => (dialect === 'sqlite' ? 'WITHOUT ROWID' : '');
const rowNumber = (dialect: Dialect) => (dialect === 'sqlite' ? 'INTEGER' : 'BIGINT');

function jobRecords(dialect: Dialect): string[] {
  return [
    `CREATE TABLE monitor_projection (
      id BIGINT PRIMARY KEY,
      prefix TEXT NOT NULL,
      next_offset BIGINT NOT NULL,
      counted_to BIGINT NOT NULL,
      next_seq BIGINT NOT NULL,
      refused BIGINT NOT NULL,
      holder TEXT NOT NULL,
      lease_until BIGINT NOT NULL,
      lag_ms BIGINT,
      rebuild_asked BIGINT NOT NULL,
      rebuild_to BIGINT NOT NULL
    )`,
    `CREATE TABLE monitor_kinds (
      kind BIGINT PRIMARY KEY,
      contract TEXT NOT NULL,
      queue TEXT NOT NULL,
      service TEXT NOT NULL,
      UNIQUE (contract, queue, service)
    )`,
    `CREATE TABLE monitor_shelves (shelf BIGINT PRIMARY KEY, jobs BIGINT NOT NULL)`,
    `CREATE TABLE monitor_jobs (
      seq ${rowNumber(dialect)} PRIMARY KEY,
      id TEXT NOT NULL,
      shelf BIGINT NOT NULL,
      time BIGINT NOT NULL,
      updated_at BIGINT NOT NULL,
      due_at BIGINT,
      fingerprint TEXT,
      first_offset BIGINT NOT NULL,
      record TEXT NOT NULL
    )`,
    `CREATE UNIQUE INDEX monitor_jobs_id ON monitor_jobs (id)`,
    `CREATE INDEX monitor_jobs_shelf ON monitor_jobs (shelf, seq, time)`,
    `CREATE INDEX monitor_jobs_due ON monitor_jobs (due_at) WHERE due_at IS NOT NULL`,
    `CREATE INDEX monitor_jobs_fingerprint ON monitor_jobs (fingerprint, seq) WHERE fingerprint IS NOT NULL`,
    `CREATE TABLE monitor_history (
      seq BIGINT NOT NULL,
      place BIGINT NOT NULL,
      steps TEXT NOT NULL,
      PRIMARY KEY (seq, place)
    ) ${clustered(dialect)}`,
    `CREATE TABLE monitor_segments (
      segment BIGINT PRIMARY KEY,
      first_time BIGINT NOT NULL,
      last_time BIGINT NOT NULL
    )`,
    `CREATE TABLE monitor_tokens (
      segment BIGINT NOT NULL,
      token BIGINT NOT NULL,
      first_seq BIGINT NOT NULL,
      seqs TEXT NOT NULL,
      PRIMARY KEY (segment, token, first_seq)
    ) ${clustered(dialect)}`,
    `CREATE TABLE monitor_failures (
      fingerprint TEXT NOT NULL,
      kind BIGINT NOT NULL,
      jobs BIGINT NOT NULL,
      first_at BIGINT NOT NULL,
      last_at BIGINT NOT NULL,
      last_seq BIGINT NOT NULL,
      name TEXT NOT NULL,
      message TEXT NOT NULL,
      PRIMARY KEY (fingerprint, kind)
    )`,
    `CREATE TABLE monitor_minutes (
      minute BIGINT NOT NULL,
      kind BIGINT NOT NULL,
      outcome TEXT NOT NULL,
      attempts BIGINT NOT NULL,
      run_ms BIGINT NOT NULL,
      longest_ms BIGINT NOT NULL,
      PRIMARY KEY (minute, kind, outcome)
    )`,
    `CREATE TABLE monitor_workers (
      instance TEXT PRIMARY KEY,
      service TEXT NOT NULL,
      seen_at BIGINT NOT NULL,
      record TEXT NOT NULL
    )`,
    `CREATE TABLE monitor_senders (
      instance TEXT PRIMARY KEY,
      seq BIGINT NOT NULL,
      missing BIGINT NOT NULL,
      seen_at BIGINT NOT NULL
    )`,
    `CREATE TABLE monitor_audit (
      place BIGINT NOT NULL,
      n BIGINT NOT NULL,
      event TEXT NOT NULL,
      PRIMARY KEY (place, n)
    )`,
    `CREATE TABLE monitor_alerts (
      id TEXT PRIMARY KEY,
      rule TEXT NOT NULL,
      since BIGINT NOT NULL,
      resolved_at BIGINT,
      told_at BIGINT,
      told BIGINT NOT NULL,
      record TEXT NOT NULL
    )`,
  ];
}
