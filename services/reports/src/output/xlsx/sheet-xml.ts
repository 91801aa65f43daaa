import type { ColumnKind } from '../../table/column-kind.js';
import { readBoolean, readNumber } from '../../table/column-kind.js';
import { readMoment } from '../../table/moment.js';
import type { Cell, Column, Row } from '../../table/table.js';
import { looksLikeFormula } from '../formula-guard.js';
import { serialDate } from './serial-date.js';
import { cellStyle } from './workbook-parts.js';
import { xmlText } from './xml-text.js';

/** Characters (UTF-16 units) that Excel takes in one cell. */
export const longestCellText = 32_767;

/**
 * Writes the XML of one sheet, a piece at a time. A cell is typed by what it holds: in a number column "n/a" stays
 * text. Text that looks like a formula is marked as text for good (Excel's own leading apostrophe), its value unchanged.
 */
export class SheetXml {
  /** Cells whose text was longer than Excel allows and was cut. */
  shortened = 0;
  private row = 0;
  private readonly letters: readonly string[];

  constructor(private readonly columns: readonly Column[]) {
    this.letters = columns.map((_, index) => columnLetters(index));
  }

  /** The beginning with the header row; the widths follow the first rows. */
  begin(sample: readonly Row[]): string {
    this.row = 1;
    const widths = this.columns.map(
      (column, index) =>
        `<col min="${index + 1}" max="${index + 1}" width="${widthOf(column, sample, index)}" customWidth="1"/>`,
    );
    const header = this.columns.map((column, index) => this.text(column.name, index, cellStyle.header));
    return (
      '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' +
      '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetViews>' +
      '<sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView>' +
      `</sheetViews><cols>${widths.join('')}</cols><sheetData><row r="1">${header.join('')}</row>`
    );
  }

  rows(batch: readonly Row[]): string {
    let xml = '';
    for (const row of batch) {
      this.row++;
      xml += `<row r="${this.row}">`;
      for (let index = 0; index < this.columns.length; index++) {
        const cell = row[index] ?? null;
        if (cell !== null) xml += this.cell(cell, index);
      }
      xml += '</row>';
    }
    return xml;
  }

  end(): string {
    const last = this.letters.at(-1) ?? 'A';
    return `</sheetData><autoFilter ref="A1:${last}${this.row}"/></worksheet>`;
  }

  private cell(cell: NonNullable<Cell>, index: number): string {
    const value = typedValue(cell, (this.columns[index] as Column).kind);
    if (value !== undefined) return `<c r="${this.letters[index]}${this.row}"${value}</v></c>`;
    return this.text(cell, index, looksLikeFormula(cell) ? cellStyle.formulaLike : undefined);
  }

  private text(text: string, index: number, style: number | undefined): string {
    let shown = text;
    if (text.length > longestCellText) {
      shown = `${text.slice(0, longestCellText - 1)}…`;
      this.shortened++;
    }
    const styled = style === undefined ? '' : ` s="${style}"`;
    const space = /^\s|\s$|\n/.test(shown) ? ' xml:space="preserve"' : '';
    return `<c r="${this.letters[index]}${this.row}"${styled} t="inlineStr"><is><t${space}>${xmlText(shown)}</t></is></c>`;
  }
}

/** The rest of the opening tag and the value; undefined when the cell is text. */
function typedValue(cell: string, kind: ColumnKind): string | undefined {
  switch (kind) {
    case 'number': {
      const number = readNumber(cell);
      return number === undefined ? undefined : `><v>${number}`;
    }
    case 'boolean': {
      const boolean = readBoolean(cell);
      return boolean === undefined ? undefined : ` t="b"><v>${boolean ? 1 : 0}`;
    }
    case 'date':
    case 'moment': {
      const serial = serialDate(cell);
      if (serial === undefined) return undefined;
      const style = kind === 'moment' || readMoment(cell)?.hasTime ? cellStyle.moment : cellStyle.date;
      return ` s="${style}"><v>${serial}`;
    }
    case 'text':
      return undefined;
  }
}

/** In characters of the standard font: enough for the first rows, within reason. */
function widthOf({ name, kind }: Column, sample: readonly Row[], index: number): number {
  const floor = kind === 'date' ? 11 : kind === 'moment' ? 19 : 6;
  let longest = Math.max(floor, name.length + 2);
  for (const row of sample) longest = Math.max(longest, row[index]?.length ?? 0);
  return Math.min(longest + 1.5, 60);
}

/** 0 is A, 25 is Z, 26 is AA. */
export function columnLetters(index: number): string {
  const rest = Math.floor(index / 26);
  const letter = String.fromCharCode(65 + (index % 26));
  return rest === 0 ? letter : columnLetters(rest - 1) + letter;
}
