import type { Dialect } from '../../model/sql.js';

/** Milliseconds since 1970 by the clock of the store, as an expression that an index can be searched by. */
export function storeTime(dialect: Dialect): string {
  return dialect === 'postgres'
    ? '(EXTRACT(EPOCH FROM statement_timestamp()) * 1000)::bigint'
    : `CAST(unixepoch('subsec') * 1000 AS INTEGER)`;
}
