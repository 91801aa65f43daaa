import { read, type WorkBook, type WorkSheet } from '@e965/xlsx';

export interface ReadSheet {
  name: string;
  /** Text, numbers, booleans and dates as they are; null for an empty cell. */
  rows: unknown[][];
  /** The sheet as the reader has it, by cell: `sheet.cells['A1']`. */
  cells: WorkSheet;
}

/** Reads a workbook with SheetJS, which has no code in common with what writes it. */
export function readXlsx(bytes: Buffer): { title: string | undefined; sheets: ReadSheet[] } {
  const book: WorkBook = read(bytes, { cellDates: true, UTC: true, dense: false, cellStyles: true });
  const sheets = book.SheetNames.map((name) => {
    const cells = book.Sheets[name]!;
    return { name, rows: rowsOf(cells), cells };
  });
  return { title: book.Props?.Title, sheets };
}

function rowsOf(cells: WorkSheet): unknown[][] {
  const rows: unknown[][] = [];
  for (const [address, cell] of Object.entries(cells)) {
    const [, letters, number] = /^([A-Z]+)(\d+)$/.exec(address) ?? [];
    if (letters === undefined) continue;
    const row = (rows[Number(number) - 1] ??= []);
    row[columnOf(letters)] = (cell as { v: unknown }).v;
  }
  const dense = Array.from(rows, (row) => row ?? []);
  const width = Math.max(...dense.map((row) => row.length));
  return dense.map((row) => Array.from({ length: width }, (_, index) => row[index] ?? null));
}

function columnOf(letters: string): number {
  return [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0) - 1;
}
