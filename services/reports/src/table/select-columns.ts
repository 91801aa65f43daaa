import { ReportError } from '../report-error.js';
import type { Cell, Column, Row, Table } from './table.js';

/**
 * The table with only the named columns, in their order.
 * @throws ReportError (`COLUMN_UNKNOWN`).
 */
export function selectColumns(table: Table, names: readonly string[] | undefined): Table {
  if (names === undefined) return table;
  const picks = names.map((name) => columnIndex(table.columns, name, 'columns'));
  return {
    ...table,
    columns: picks.map((pick) => table.columns[pick] as Column),
    batches: pickCells(table.batches, picks),
  };
}

/**
 * Where a column is.
 * @param asker the field of the payload that names the column, for the message.
 * @throws ReportError (`COLUMN_UNKNOWN`) that lists the columns there are.
 */
export function columnIndex(columns: readonly Column[], name: string, asker: string): number {
  const index = columns.findIndex((column) => column.name === name);
  if (index >= 0) return index;
  const known = columns.map((column) => `"${column.name}"`);
  const shown =
    known.length > 30 ? `${known.slice(0, 30).join(', ')} and ${known.length - 30} more` : known.join(', ');
  throw new ReportError('COLUMN_UNKNOWN', `${asker} names "${name}", which the source does not have.`, {
    mend: `Name one of its columns: ${shown}.`,
  });
}

async function* pickCells(batches: Table['batches'], picks: readonly number[]): AsyncGenerator<Row[]> {
  for await (const batch of batches) yield batch.map((row) => picks.map((pick): Cell => row[pick] ?? null));
}
