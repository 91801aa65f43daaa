import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { ReportError } from '../../report-error.js';
import type { Row, Table } from '../../table/table.js';
import type { OutputOptions } from '../output-options.js';
import { SheetXml } from './sheet-xml.js';
import {
  contentTypesPart,
  corePart,
  packageRelationsPart,
  sheetName,
  stylesPart,
  workbookPart,
  workbookRelationsPart,
} from './workbook-parts.js';

/** Rows of a sheet, the header included, and columns, that Excel can hold. */
const sheetRows = 1_048_576;
const sheetColumns = 16_384;

export interface XlsxOptions extends OutputOptions {
  /** Rows of a sheet, the header included, before the next sheet is begun. Default: as many as Excel can hold. */
  rowsPerSheet?: number;
}

/**
 * The table as XLSX workbook, written while it is read: a zip whose sheets are compressed piece by piece. A sheet has a
 * frozen header row and a filter; numbers, booleans and dates are typed. Destroying the stream releases the table.
 * @throws ReportError (`XLSX_TOO_MANY_COLUMNS`) as error of the stream, as are those of the table.
 */
export function xlsxOutput(table: Table, options: XlsxOptions): Readable {
  const zip = new ZipFile();
  const output = zip.outputStream as Readable;
  const fail = (error: unknown): void => void output.destroy(error as Error);
  zip.on('error', fail);
  new WorkbookWriter(zip, output, options).write(table).catch(fail);
  return output;
}

/** Writes the parts in the order in which they become known: those that list the sheets come last. */
class WorkbookWriter {
  private sheets = 0;
  private shortened = 0;
  /** Nobody reads on: the zip does not pass this back to what it is reading. */
  private readonly outputClosed = new AbortController();

  constructor(
    private readonly zip: ZipFile,
    output: Readable,
    private readonly options: XlsxOptions,
  ) {
    output.once('close', () => this.outputClosed.abort());
  }

  async write(table: Table): Promise<void> {
    const rows = new RowFeed(table.batches);
    try {
      if (table.columns.length > sheetColumns) throw tooManyColumns(table.columns.length);
      const { title, requestedAt, rowsPerSheet = sheetRows, warn } = this.options;
      this.part('_rels/.rels', packageRelationsPart);
      this.part('docProps/core.xml', corePart(title, requestedAt));
      this.part('xl/styles.xml', stylesPart);
      do await this.sheet(table, rows, rowsPerSheet);
      while (await rows.more());
      const names = Array.from({ length: this.sheets }, (_, index) => sheetName(title, index));
      this.part('xl/workbook.xml', workbookPart(names));
      this.part('xl/_rels/workbook.xml.rels', workbookRelationsPart(this.sheets));
      this.part('[Content_Types].xml', contentTypesPart(this.sheets));
      if (this.shortened > 0)
        warn(`${this.shortened} cells were cut to the 32,767 characters that Excel can hold`);
      this.zip.end();
    } finally {
      await rows.close();
    }
  }

  private part(path: string, xml: string): void {
    this.zip.addBuffer(Buffer.from(xml), path, this.entry());
  }

  private async sheet({ columns }: Table, rows: RowFeed, limit: number): Promise<void> {
    const xml = new SheetXml(columns);
    const content = Readable.from(sheetPieces(xml, rows, limit), {
      objectMode: false,
      signal: this.outputClosed.signal,
    });
    this.zip.addReadStream(content, `xl/worksheets/sheet${++this.sheets}.xml`, this.entry());
    await finished(content);
    this.shortened += xml.shortened;
  }

  private entry(): { mtime: Date; forceDosTimestamp: boolean } {
    return { mtime: this.options.requestedAt, forceDosTimestamp: true };
  }
}

async function* sheetPieces(xml: SheetXml, rows: RowFeed, limit: number): AsyncGenerator<string> {
  yield xml.begin((await rows.more()) ? rows.peek() : []);
  for (let left = limit - 1; left > 0 && (await rows.more());) {
    const batch = rows.take(left);
    left -= batch.length;
    yield xml.rows(batch);
  }
  yield xml.end();
}

/** Rows handed out to one sheet after the other. */
class RowFeed {
  private readonly batches: AsyncIterator<readonly Row[]>;
  private batch: readonly Row[] = [];

  constructor(batches: AsyncIterable<readonly Row[]>) {
    this.batches = batches[Symbol.asyncIterator]();
  }

  /** Whether there are rows; fetches the next batch when the last is used up. */
  async more(): Promise<boolean> {
    while (this.batch.length === 0) {
      const next = await this.batches.next();
      if (next.done) return false;
      this.batch = next.value;
    }
    return true;
  }

  /** The rows at hand, which are not used up by it. */
  peek(): readonly Row[] {
    return this.batch;
  }

  take(most: number): readonly Row[] {
    const taken = this.batch.slice(0, most);
    this.batch = this.batch.slice(most);
    return taken;
  }

  async close(): Promise<void> {
    await this.batches.return?.();
  }
}

function tooManyColumns(count: number): ReportError {
  return new ReportError(
    'XLSX_TOO_MANY_COLUMNS',
    `The source has ${count} columns, and a sheet holds 16,384.`,
    {
      mend: 'Name the columns that matter in "columns", or build a CSV.',
    },
  );
}
