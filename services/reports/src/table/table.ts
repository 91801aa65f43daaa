import type { ColumnKind } from './column-kind.js';

export interface Column {
  readonly name: string;
  /** What most of its cells hold; a single cell may still be anything, so outputs check each. */
  readonly kind: ColumnKind;
}

/** As the source wrote it, so that "007" and "1.50" survive; null is an absent value. */
export type Cell = string | null;

/** One cell for each column of the table. */
export type Row = readonly Cell[];

/** Rows on their way from a source to an output. They can be read once. */
export interface Table {
  readonly columns: readonly Column[];
  /**
   * The rows in groups of about a megabyte at most, which keeps memory flat and the cost of asynchrony small. The
   * first group has enough rows to judge widths by.
   */
  readonly batches: AsyncIterable<readonly Row[]>;
  /** How much of the source has been read, 0 to 1: exact for a file, an estimate for a query. */
  fraction(): number;
  /** Releases the source (file, connection), read to its end or not. Safe to call twice. */
  close(): Promise<void>;
}

/** A batch is full when it has this many rows … */
export const batchRows = 1_000;
/** … or this many characters, whichever comes first. */
export const batchCharacters = 1_000_000;
