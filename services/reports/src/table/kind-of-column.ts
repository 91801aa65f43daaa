import { type ColumnKind, readBoolean, readNumber } from './column-kind.js';
import { readMoment } from './moment.js';
import type { Cell, Row } from './table.js';

/** The kind that fits all non-null cells of a column among these rows; text when there is none. */
export function kindOfColumn(rows: readonly Row[], index: number): ColumnKind {
  let kind: ColumnKind | undefined;
  for (const row of rows) {
    const cell = row[index] ?? null;
    if (cell === null) continue;
    const seen = kindOfCell(cell);
    if (kind === undefined) kind = seen;
    else if (kind !== seen) kind = bothDates(kind, seen) ? 'moment' : 'text';
    if (kind === 'text') return kind;
  }
  return kind ?? 'text';
}

function kindOfCell(cell: NonNullable<Cell>): ColumnKind {
  if (readNumber(cell) !== undefined) return 'number';
  if (readBoolean(cell) !== undefined) return 'boolean';
  const moment = readMoment(cell);
  return moment === undefined ? 'text' : moment.hasTime ? 'moment' : 'date';
}

function bothDates(one: ColumnKind, other: ColumnKind): boolean {
  return (one === 'date' || one === 'moment') && (other === 'date' || other === 'moment');
}
