import { Readable } from 'node:stream';
import type { Cell, Row, Table } from '../table/table.js';
import { looksLikeFormula } from './formula-guard.js';

/**
 * The table as CSV of RFC 4180: UTF-8 without a byte order mark, CRLF, a header line, quotes only where needed. An
 * absent value is an empty field, an empty text is `""` (as PostgreSQL's COPY has it). A text that a spreadsheet would
 * run as a formula gets an apostrophe in front.
 */
export function csvOutput(table: Table): Readable {
  return Readable.from(csvLines(table), { objectMode: false });
}

async function* csvLines(table: Table): AsyncGenerator<string> {
  yield csvLine(table.columns.map((column) => column.name));
  for await (const batch of table.batches) yield batch.map(csvLine).join('');
}

function csvLine(row: Row): string {
  // A lone empty field would be an empty line, which readers skip.
  if (row.length === 1 && row[0] === null) return '""\r\n';
  return `${row.map(csvField).join(',')}\r\n`;
}

function csvField(cell: Cell): string {
  if (cell === null) return '';
  const text = looksLikeFormula(cell) ? `'${cell}` : cell;
  return text === '' || /[",\r\n]/.test(text) || /^\s|\s$/.test(text)
    ? `"${text.replaceAll('"', '""')}"`
    : text;
}
