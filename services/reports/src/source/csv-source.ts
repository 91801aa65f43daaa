import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CsvError, parse, type Parser } from 'csv-parse';
import { ReportError } from '../report-error.js';
import { kindOfColumn } from '../table/kind-of-column.js';
import { columnNames } from '../table/column-names.js';
import { batchCharacters, batchRows, type Cell, type Row, type Table } from '../table/table.js';
import { Utf8Gate } from './utf8-gate.js';

/** In bytes. A row beyond it is most likely a quote that was never closed. */
const longestRecord = 1_048_576;

export interface CsvFile {
  content: Readable;
  /** Size of the whole file in bytes, for the progress. */
  bytes: number;
  /** What messages call it. */
  name: string;
}

/**
 * Opens CSV (UTF-8, comma separated, first line names the columns) as a table. Empty fields become null. The kinds of
 * the columns are judged by the first batch of rows.
 *
 * An error, here or while the rows are read, and `close` of the table destroy `content`.
 * @throws ReportError (`CSV_MALFORMED`), here or while the rows are read, with the line.
 */
export async function openCsv(file: CsvFile, signal: AbortSignal): Promise<Table> {
  const gate = new Utf8Gate();
  const lines = { read: 0 };
  const parser = parse({
    bom: true,
    max_record_size: longestRecord,
    skip_empty_lines: true,
    on_record: (record: string[], { lines: at }) => {
      lines.read = at;
      for (let index = 0; index < record.length; index++) {
        if (record[index] === '') (record as Cell[])[index] = null;
      }
      return record;
    },
  });
  // An error of any of them destroys all three with it, so the reader of the parser below gets it.
  const flow = pipeline(file.content, gate, parser, { signal }).catch(() => {});
  const batches = readBatches(parser, (error) => malformed(error, file.name, lines.read));
  const head = await batches.next();
  const [header, ...first] = head.done ? [] : head.value;
  if (header === undefined) {
    throw new ReportError(
      'CSV_MALFORMED',
      `${file.name} is empty: it has no line 1 with the names of its columns.`,
      {
        mend: 'Write the names of the columns into the first line.',
      },
    );
  }
  const names = columnNames(header.map((cell) => cell ?? ''));
  return {
    columns: names.map((name, index) => ({ name, kind: kindOfColumn(first, index) })),
    batches: prepend(first, batches),
    fraction: () => Math.min(1, gate.bytes / file.bytes),
    close: async () => {
      parser.destroy();
      await flow;
    },
  };
}

async function* prepend(first: Row[], rest: AsyncGenerator<Row[]>): AsyncGenerator<Row[]> {
  if (first.length > 0) yield first;
  yield* rest;
}

async function* readBatches(
  parser: Parser,
  explain: (error: CsvError) => ReportError,
): AsyncGenerator<Row[]> {
  let batch: Row[] = [];
  let characters = 0;
  try {
    for await (const row of parser as AsyncIterable<Row>) {
      for (const cell of row) characters += cell?.length ?? 0;
      batch.push(row);
      if (batch.length > batchRows || characters > batchCharacters) {
        yield batch;
        batch = [];
        characters = 0;
      }
    }
  } catch (error) {
    throw error instanceof CsvError ? explain(error) : error;
  }
  if (batch.length > 0) yield batch;
}

/** @param linesRead the last line of the last row that was whole. */
function malformed(error: CsvError, name: string, linesRead: number): ReportError {
  const { lines } = error as CsvError & { lines?: number };
  const fault = faults[error.code] ?? {
    means: error.message,
    mend: 'Write the file by the rules of RFC 4180.',
  };
  const line = fault.wholeRow || lines === undefined ? linesRead + 1 : lines;
  return new ReportError('CSV_MALFORMED', `${name} is no proper CSV: line ${line} ${fault.means}.`, {
    mend: fault.mend,
    cause: error,
  });
}

interface Fault {
  means: string;
  mend: string;
  /** Noticed far behind the line in which the row begins, which is the one to tell. */
  wholeRow?: boolean;
}

const closeQuote = 'Close it; a quote inside of a quoted field is written twice.';
const faults: Partial<Record<CsvError['code'], Fault>> = {
  CSV_RECORD_INCONSISTENT_FIELDS_LENGTH: {
    means: 'has another number of fields than the header',
    mend: 'Give it one field a column, and quote fields that have a comma or a line break in them.',
  },
  CSV_QUOTE_NOT_CLOSED: {
    means: 'begins a row with a quote that is never closed',
    mend: closeQuote,
    wholeRow: true,
  },
  CSV_MAX_RECORD_SIZE: {
    means: `begins a row of more than ${longestRecord} bytes, most likely by a quote that is never closed`,
    mend: closeQuote,
    wholeRow: true,
  },
  CSV_INVALID_CLOSING_QUOTE: {
    means: 'has text behind the quote that closes a field',
    mend: 'Write a quote inside of a quoted field twice.',
  },
  INVALID_OPENING_QUOTE: {
    means: 'has a quote in the middle of a field that is not quoted',
    mend: 'Quote the whole field and write the quote inside of it twice.',
  },
};
