import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Cell, Column, Row } from '../../table/table.js';
import { ReportError } from '../../report-error.js';
import { shareWidths } from './column-widths.js';
import { ink, type PageBox, pageBox, Pen } from './pdf-page.js';
import { wrapText } from './wrap-text.js';

const padding = { x: 5, y: 3.5 };
const mostLines = 3;
const narrowestColumn = 32;
/** Of its rows, a column is as wide as the widest cell of the first so many. */
const sampledRows = 200;
/** Rows measured before other work of the process gets a turn, such as the heartbeats of the broker. */
const rowsPerTurn = 500;
const widestWish = 260;

export interface TableLayout {
  box: PageBox;
  orientation: 'portrait' | 'landscape';
  widths: number[];
  fontSize: number;
}

/**
 * Decides the orientation of the pages and the width of each column.
 * @throws ReportError (`PDF_TOO_MANY_COLUMNS`) when even narrow columns do not fit a landscape page.
 */
export function layOutTable(
  doc: PDFKit.PDFDocument,
  columns: readonly Column[],
  rows: readonly Row[],
): TableLayout {
  const fontSize = columns.length > 10 ? 7 : 8;
  const pens = tablePens(doc, fontSize);
  const wanted = columns.map((column, index) => {
    let widest = pens.header.measure(column.name);
    for (const row of rows.slice(0, sampledRows))
      widest = Math.max(widest, pens.cell.measure(flat(row[index] ?? null)));
    return Math.min(widest, widestWish) + 2 * padding.x;
  });
  const total = wanted.reduce((sum, width) => sum + width, 0);
  const orientation = total <= pageBox('portrait').width ? 'portrait' : 'landscape';
  const box = pageBox(orientation);
  const most = Math.floor(box.width / narrowestColumn);
  if (columns.length > most) {
    throw new ReportError(
      'PDF_TOO_MANY_COLUMNS',
      `There are ${columns.length} columns, and a page holds ${most}.`,
      {
        mend: `Name at most ${most} in "columns", or build an XLSX.`,
      },
    );
  }
  return { box, orientation, widths: shareWidths(wanted, box.width), fontSize };
}

/** Which rows are on a page, and where its table begins. */
export interface TablePage {
  from: number;
  /** The first row that is not on it. */
  to: number;
  top: number;
}

/** Draws rows below each other, on every page beneath the header of the table. */
export class TableDrawing {
  private readonly pens: { header: Pen; cell: Pen };
  private readonly lefts: number[] = [];
  private readonly lineHeight: number;
  private y = 0;

  constructor(
    private readonly doc: PDFKit.PDFDocument,
    private readonly columns: readonly Column[],
    private readonly layout: TableLayout,
  ) {
    this.pens = tablePens(doc, layout.fontSize);
    this.lineHeight = layout.fontSize * 1.3;
    let left = layout.box.left;
    for (const width of layout.widths) {
      this.lefts.push(left);
      left += width;
    }
  }

  /**
   * Shares the rows out to pages; at least one page. A page is known before it is drawn, so that it can tell how many
   * there are without any being kept in memory.
   * @param top where the table begins on the first page.
   */
  async paginate(rows: readonly Row[], top: number): Promise<TablePage[]> {
    const { box } = this.layout;
    const header = this.heightOf(this.headerLines());
    const pages: TablePage[] = [];
    let page: TablePage = { from: 0, to: 0, top };
    let y = top + header;
    for (const [index, row] of rows.entries()) {
      if (index % rowsPerTurn === 0) await nextTurn();
      const height = this.heightOf(this.rowLines(row));
      if (y + height > box.bottom) {
        pages.push(page);
        page = { from: page.to, to: page.to, top: box.top };
        y = box.top + header;
      }
      page.to++;
      y += height;
    }
    return [...pages, page];
  }

  drawPage({ from, to, top }: TablePage, rows: readonly Row[]): void {
    this.y = top;
    if (from === to && rows.length > 0) return; // the first row did not fit below what is above the table
    this.header();
    for (let index = from; index < to; index++) {
      const lines = this.rowLines(rows[index] as Row);
      const height = this.heightOf(lines);
      if ((index - from) % 2 === 1) this.fill(ink.stripe, height);
      this.cells(lines, this.pens.cell);
      this.y += height;
    }
    if (rows.length === 0)
      this.pens.cell.write('No rows.', this.layout.box.left + padding.x, this.y + padding.y);
  }

  private header(): void {
    const lines = this.headerLines();
    const height = this.heightOf(lines);
    this.fill(ink.headerFill, height);
    this.cells(lines, this.pens.header);
    this.y += height;
    const { left, right } = this.layout.box;
    this.doc
      .save()
      .moveTo(left, this.y)
      .lineTo(right, this.y)
      .lineWidth(0.8)
      .strokeColor(ink.quiet)
      .stroke()
      .restore();
  }

  private headerLines(): string[][] {
    return this.columns.map((column, index) => this.wrap(column.name, index, this.pens.header));
  }

  private rowLines(row: Row): string[][] {
    return this.columns.map((_, index) => this.wrap(flat(row[index] ?? null), index, this.pens.cell));
  }

  private wrap(text: string, index: number, { measure }: Pen): string[] {
    const width = (this.layout.widths[index] as number) - 2 * padding.x;
    return wrapText(text, { width, lines: mostLines, measure });
  }

  private heightOf(lines: readonly string[][]): number {
    return Math.max(...lines.map((cell) => cell.length)) * this.lineHeight + 2 * padding.y;
  }

  private cells(lines: readonly string[][], pen: Pen): void {
    lines.forEach((cell, index) => {
      const width = this.layout.widths[index] as number;
      const isNumber = this.columns[index]?.kind === 'number';
      const x = (this.lefts[index] as number) + (isNumber ? width - padding.x : padding.x);
      cell.forEach((line, number) => {
        pen.write(line, x, this.y + padding.y + number * this.lineHeight, isNumber ? 'right' : 'left');
      });
    });
  }

  private fill(color: string, height: number): void {
    const { left, width } = this.layout.box;
    this.doc.rect(left, this.y, width, height).fill(color);
  }
}

function tablePens(doc: PDFKit.PDFDocument, size: number): { header: Pen; cell: Pen } {
  return {
    header: new Pen(doc, { font: 'bold', size, color: ink.title }),
    cell: new Pen(doc, { font: 'regular', size, color: ink.text }),
  };
}

/** What a page can show of a cell at most, as one line of text. */
function flat(cell: Cell): string {
  return cell === null ? '' : cell.slice(0, 1_000).replace(/\s+/g, ' ').trim();
}
