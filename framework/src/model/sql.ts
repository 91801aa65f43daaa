import { describe, StoreError } from '../base/errors.js';

/** What a store can hold in a column. Text without NUL; numbers that are finite; no booleans: use 0 and 1. */
export type SqlValue = string | number | null | Uint8Array;

/** Bytes come as Buffer; whole numbers as number, beyond 2^53 rounded. */
export type SqlRow = Record<string, SqlValue>;

/** SQL of which the stores have dialects; most texts are the same for both. */
export type Dialect = 'sqlite' | 'postgres';

/** Rows that a statement works on, all at once: in its text they are a table named `given`. */
export interface GivenRows {
  /** Names and types of the columns, in the order of the values in each row. */
  columns: Readonly<Record<string, 'text' | 'bigint' | 'double'>>;
  rows: readonly (readonly (string | number | null)[])[];
}

/**
 * Refuses what the stores would change or choke on.
 * @throws StoreError (`JR_STORE_FAILED`) showing the value.
 */
export function checkSqlValue(value: unknown): void {
  if (value === null || value instanceof Uint8Array) return;
  if (typeof value === 'string' && !value.includes('\0')) return;
  if (typeof value === 'number' && Number.isFinite(value)) return;
  throw new StoreError('JR_STORE_FAILED', `A statement was given the value ${describe(value)}.`, {
    mend: 'Values are text without NUL, finite numbers, null and bytes; write a boolean as 0 or 1.',
  });
}

/** A statement with its given rows as the common table `given`; `source` says where they are read from. */
export function withGiven(text: string, { columns }: GivenRows, source: string): string {
  const head = `WITH given (${Object.keys(columns).join(', ')}) AS (${source})`;
  const own = /^\s*WITH\s/i.exec(text);
  return own ? `${head}, ${text.slice(own[0].length)}` : `${head} ${text}`;
}

export function transactionClosed(): StoreError {
  return new StoreError('JR_TRANSACTION_CLOSED', 'A transaction was used after its end.', {
    mend: 'Await everything that uses a transaction before the export function given to transaction() returns.',
  });
}

export function statementFailed(): StoreError {
  return new StoreError(
    'JR_STORE_FAILED',
    'A statement of a transaction failed; all of the transaction was rolled back.',
    { mend: 'Let the error of a statement through, so that the transaction ends with it.' },
  );
}

export function storeClosed(location: string): StoreError {
  return new StoreError('JR_STORE_CLOSED', `${location} was closed.`, {
    mend: 'Close the store when nothing uses it any more.',
  });
}
