export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`; `?options=-c search_path=…` chooses a schema. */
  url: string;
  /** Connections for statements, at most. Default 5. */
  poolSize?: number;
  /** Transactions at once, at most, each on a connection of its own. Default 10; more wait. */
  mostTransactions?: number;
  /** How long a connection may take. Milliseconds, default 5,000. */
  connectTimeoutMs?: number;
  /** How long a statement may take before its connection is given up. Milliseconds, default 30,000. */
  statementTimeoutMs?: number;
}
