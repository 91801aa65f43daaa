import type { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ReportError } from '../../report-error.js';
import type { Row, Table } from '../../table/table.js';
import type { OutputOptions } from '../output-options.js';
import { ChartDrawing } from './chart-drawing.js';
import type { ChartSeries } from './chart-series.js';
import { ink, newDocument, notoSans, type PageBox, type PdfFonts, Pen } from './pdf-page.js';
import { layOutTable, TableDrawing, type TableLayout } from './table-drawing.js';
import { wrapText } from './wrap-text.js';

export interface PdfOptions extends OutputOptions {
  /** A source with more rows is refused: pages must be laid out in memory, and nobody reads so many. */
  maxRows: number;
  /** Filled by the rows of `table`; drawn above the table. */
  chart?: ChartSeries | undefined;
  /** Called after each page with how much is drawn, 0 to 1. */
  drawn?: (fraction: number) => void;
  /** Default: Noto Sans. */
  fonts?: PdfFonts | undefined;
}

/**
 * The table as PDF (A4): title, chart, the rows over as many pages as they need, each with the header and its number.
 * The rows are all read before the first page is drawn. Destroying the stream stops it and releases the table.
 * @throws ReportError (`PDF_TOO_MANY_ROWS`, `PDF_TOO_MANY_COLUMNS`, `CHART_NOT_NUMERIC`) as error of the stream, as are
 * those of the table.
 */
export function pdfOutput(table: Table, options: PdfOptions): Readable {
  const doc = newDocument(options.title, options.requestedAt, options.fonts ?? notoSans);
  const output = doc as unknown as Readable;
  draw(doc, table, options).catch((error: unknown) => void output.destroy(error as Error));
  return output;
}

async function draw(doc: PDFKit.PDFDocument, table: Table, options: PdfOptions): Promise<void> {
  const rows = await collect(doc, table, options.maxRows);
  const layout = layOutTable(doc, table.columns, rows);
  beginPage(doc, layout);
  let y = heading(doc, layout.box, rows.length, options);
  if (options.chart) y = new ChartDrawing(doc, layout.box).draw(options.chart, options.chart.points(), y) + 8;
  const drawing = new TableDrawing(doc, table.columns, layout);
  const pages = await drawing.paginate(rows, y);
  const footer = new Footer(doc, layout.box, { title: options.title, pages: pages.length });
  for (const [index, page] of pages.entries()) {
    await nextTurn();
    if (doc.destroyed) return;
    if (index > 0) beginPage(doc, layout);
    drawing.drawPage(page, rows);
    footer.draw(index + 1);
    options.drawn?.((index + 1) / pages.length);
  }
  doc.end();
}

function beginPage(doc: PDFKit.PDFDocument, { orientation }: TableLayout): void {
  doc.addPage({ size: 'A4', layout: orientation, margin: 0 });
}

async function collect(doc: PDFKit.PDFDocument, table: Table, maxRows: number): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of table.batches) {
    rows.push(...batch);
    if (rows.length > maxRows) {
      throw new ReportError(
        'PDF_TOO_MANY_ROWS',
        `The source has more than ${maxRows} rows, the limit of a PDF here.`,
        {
          mend: 'Build an XLSX or CSV, narrow the source, or raise REPORTS_PDF_MAX_ROWS of the service.',
        },
      );
    }
    if (doc.destroyed) break;
  }
  return rows;
}

/** Writes the title and a line of facts, and returns where they end. */
function heading(
  doc: PDFKit.PDFDocument,
  box: PageBox,
  rows: number,
  { title, requestedAt }: PdfOptions,
): number {
  const pen = new Pen(doc, { font: 'bold', size: 20, color: ink.title });
  const lines = wrapText(title, { width: box.width, lines: 3, measure: pen.measure });
  lines.forEach((line, index) => pen.write(line, box.left, box.top - 6 + index * 26));
  const y = box.top + lines.length * 26;
  const date = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' });
  const facts = `${rows.toLocaleString('en')} ${rows === 1 ? 'row' : 'rows'}  ·  requested ${date.format(requestedAt)} UTC`;
  new Pen(doc, { font: 'regular', size: 9, color: ink.quiet }).write(facts, box.left, y - 2);
  doc.rect(box.left, y + 17, 36, 2.5).fill(ink.accent);
  return y + 36;
}

/** The foot of each page: the title and the number of the page. */
class Footer {
  private readonly pen: Pen;
  private readonly title: string;

  constructor(
    doc: PDFKit.PDFDocument,
    private readonly box: PageBox,
    private readonly report: { title: string; pages: number },
  ) {
    this.pen = new Pen(doc, { font: 'regular', size: 7.5, color: ink.quiet });
    const [title = ''] = wrapText(report.title, {
      width: box.width - 100,
      lines: 1,
      measure: this.pen.measure,
    });
    this.title = title;
  }

  draw(page: number): void {
    this.pen.write(this.title, this.box.left, this.box.footer);
    this.pen.write(`Page ${page} of ${this.report.pages}`, this.box.right, this.box.footer, 'right');
  }
}
