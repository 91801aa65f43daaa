import { createReadStream } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { expect } from 'chai';
import fc from 'fast-check';
import { columnLetters } from '../../src/output/xlsx/sheet-xml.js';
import { sheetName } from '../../src/output/xlsx/workbook-parts.js';
import { type XlsxOptions, xlsxOutput } from '../../src/output/xlsx/xlsx-output.js';
import { openCsv } from '../../src/source/csv-source.js';
import type { Row, Table } from '../../src/table/table.js';
import { dataSet, dataSetPath } from '../data-sets.js';
import { failureOf, reportError } from '../failure-of.js';
import { readXlsx } from '../read-xlsx.js';
import { tableOf } from '../table-of.js';

const requestedAt = new Date('2026-11-22T06:12:00Z');

function output(table: Table, options: Partial<XlsxOptions> = {}): Promise<Buffer> {
  return buffer(xlsxOutput(table, { title: 'Test', requestedAt, warn: () => {}, ...options }));
}

async function sheetOf(columns: string[], rows: Row[]) {
  return readXlsx(await output(tableOf(columns, rows))).sheets[0]!;
}

describe('XLSX output', () => {
  it('types cells by their column, and each by what it holds', async () => {
    const { rows } = await sheetOf(
      ['n:number', 'ok:boolean', 'day:date', 'at:moment', 'code'],
      [
        ['1.50', 'true', '2024-02-29', '2024-02-29 18:30:15', '007'],
        ['n/a', 'FALSE', 'someday', '2024-02-29', '12'],
        [null, null, null, null, null],
        ['-2.5e-3', 'yes', '1899-12-31', '2024-02-29T23:59:59.500Z', ''],
      ],
    );
    expect(rows).to.deep.equal([
      ['n', 'ok', 'day', 'at', 'code'],
      [1.5, true, new Date('2024-02-29'), new Date('2024-02-29T18:30:15Z'), '007'],
      ['n/a', false, 'someday', new Date('2024-02-29'), '12'],
      [null, null, null, null, null],
      [-0.0025, 'yes', '1899-12-31', new Date('2024-02-29T23:59:59.500Z'), ''],
    ]);
  });

  it('keeps text that looks like a formula as text for good, unchanged', async () => {
    const { cells, rows } = await sheetOf(['a'], [['=1+1'], ["+cmd|' /C calc'!A0"], ['-5'], ['@x']]);
    expect(rows.flat()).to.deep.equal(['a', '=1+1', "+cmd|' /C calc'!A0", '-5', '@x']);
    for (const address of ['A2', 'A3', 'A4', 'A5']) {
      const cell = cells[address] as { t: string; f?: string };
      expect(cell.t).to.equal('s');
      expect(cell.f).to.equal(undefined);
    }
  });

  it('holds any text', async () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 });
    const special = fc.constantFrom(
      '\u0000',
      '\u001f',
      'a\rb',
      '_x0041_',
      '_x',
      '<&">',
      ']]>',
      ' x ',
      '\ud800',
      '\uffff',
      '😀',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(text, special), { minLength: 1, maxLength: 20 }), async (cells) => {
        const { rows } = await sheetOf(
          ['a'],
          cells.map((cell) => [cell]),
        );
        expect(rows.slice(1).flat()).to.deep.equal(cells.map((cell) => cell.replace(/\p{Cs}/gu, '\ufffd')));
      }),
      { numRuns: 30 },
    );
  });

  it('goes on in another sheet when one is full, each with the header', async () => {
    const rows = Array.from({ length: 10 }, (_, index) => [`${index}`]);
    const bytes = await output(tableOf(['n:number'], rows, 3), { title: 'Numbers', rowsPerSheet: 5 });
    const { sheets } = readXlsx(bytes);
    expect(sheets.map(({ name }) => name)).to.deep.equal(['Numbers', 'Numbers (2)', 'Numbers (3)']);
    expect(sheets.map((sheet) => sheet.rows.flat())).to.deep.equal([
      ['n', 0, 1, 2, 3],
      ['n', 4, 5, 6, 7],
      ['n', 8, 9],
    ]);
  });

  it('begins no sheet for rows that are not there', async () => {
    const rows = Array.from({ length: 8 }, (_, index) => [`${index}`]);
    const full = await output(tableOf(['n'], rows, 4), { rowsPerSheet: 5 });
    expect(readXlsx(full).sheets).to.have.length(2);
    const { rows: none } = await sheetOf(['a', 'b'], []);
    expect(none).to.deep.equal([['a', 'b']]);
  });

  it('has a frozen header and a filter, fitting widths, title and date', async () => {
    const bytes = await output(tableOf(['a', 'b:date'], [['x'.repeat(30), '2024-01-01']]), {
      title: 'A & B',
    });
    const { title, sheets } = readXlsx(bytes);
    expect(title).to.equal('A & B');
    expect(sheets[0]!.cells['!autofilter']).to.deep.equal({ ref: 'A1:B2' });
    expect(sheets[0]!.cells['!cols']?.map(({ width }) => Math.round(width ?? 0))).to.deep.equal([32, 13]);
  });

  it('is the same file for the same rows', async () => {
    const one = await output(tableOf(['a'], [['1']]));
    expect(one.equals(await output(tableOf(['a'], [['1']])))).to.equal(true);
  });

  it('cuts what Excel cannot hold and says so', async () => {
    const notes: string[] = [];
    const bytes = await output(tableOf(['a'], [['x'.repeat(40_000)], ['ok']]), {
      warn: (note) => notes.push(note),
    });
    const [, [long]] = readXlsx(bytes).sheets[0]!.rows as [unknown, [string]];
    expect(long).to.have.length(32_767).and.to.match(/^x+…$/);
    expect(notes).to.deep.equal(['1 cells were cut to the 32,767 characters that Excel can hold']);
  });

  it('refuses more columns than Excel can hold', async () => {
    const columns = Array.from({ length: 16_385 }, (_, index) => `c${index}`);
    const error = await reportError('XLSX_TOO_MANY_COLUMNS', output(tableOf(columns, [])));
    expect(error.message).to.include('16385 columns').and.to.include('16,384');
  });

  it('passes an error of its table on, and releases the table when it is destroyed', async () => {
    const broken = { ...tableOf(['a'], []), batches: failing() };
    expect(await failureOf(output(broken))).to.have.property('message', 'the source broke');

    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const stream = xlsxOutput(
      { ...tableOf(['a'], []), batches: endless(release) },
      { title: 'x', requestedAt, warn: () => {} },
    );
    let bytes = 0;
    for await (const chunk of stream) if ((bytes += (chunk as Buffer).length) > 100_000) break;
    await released;
  });

  for (const name of ['seattle-weather', 'airports'] as const) {
    it(`holds every row of ${name}.csv`, async () => {
      const bytes = dataSet(name);
      const content = createReadStream(dataSetPath(name));
      const table = await openCsv({ content, bytes: bytes.length, name }, new AbortController().signal);
      const { rows } = readXlsx(await output(table, { title: name })).sheets[0]!;
      const lines = bytes.toString().trimEnd().split('\n');
      expect(rows).to.have.length(lines.length);
      if (name === 'seattle-weather') {
        expect(rows[1]).to.deep.equal([new Date('2012-01-01'), 0, 12.8, 5, 4.7, 'drizzle']);
        expect(rows.at(-1)).to.deep.equal([new Date('2015-12-31'), 0, 5.6, -2.1, 3.5, 'sun']);
      }
    });
  }

  it('names columns as spreadsheets do', () => {
    expect([0, 25, 26, 701, 702, 16_383].map(columnLetters)).to.deep.equal([
      'A',
      'Z',
      'AA',
      'ZZ',
      'AAA',
      'XFD',
    ]);
  });

  it('gives sheets names that Excel takes', () => {
    expect(sheetName('Sales: Q1/Q2 [draft]', 0)).to.equal('Sales Q1 Q2 draft');
    expect(sheetName("'quoted'", 0)).to.equal('quoted');
    expect(sheetName('History', 0)).to.equal('Report');
    expect(sheetName('***', 1)).to.equal('Report (2)');
    expect(sheetName('x'.repeat(50), 9)).to.equal(`${'x'.repeat(26)} (10)`);
    expect(sheetName('😀'.repeat(20), 0)).to.equal('😀'.repeat(15));
  });
});

async function* failing(): AsyncGenerator<Row[]> {
  yield [['1']];
  throw new Error('the source broke');
}

async function* endless(onRelease: () => void): AsyncGenerator<Row[]> {
  try {
    for (let row = 0; ; row++) yield Array.from({ length: 100 }, (_, index) => [`${row * index * 7_919}`]);
  } finally {
    onRelease();
  }
}
