import { createReadStream } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { expect } from 'chai';
import { ChartSeries } from '../../src/output/pdf/chart-series.js';
import { type PdfOptions, pdfOutput } from '../../src/output/pdf/pdf-output.js';
import { openCsv } from '../../src/source/csv-source.js';
import type { Row, Table } from '../../src/table/table.js';
import { dataSet, dataSetPath } from '../data-sets.js';
import { failureOf, reportError } from '../failure-of.js';
import { readPdf, type ReadPdf } from '../read-pdf.js';
import { tableOf } from '../table-of.js';

const requestedAt = new Date('2026-11-22T06:12:00Z');

function output(table: Table, options: Partial<PdfOptions> = {}): Promise<Buffer> {
  return buffer(pdfOutput(table, { title: 'Test', requestedAt, warn: () => {}, maxRows: 1_000, ...options }));
}

async function pdfOf(columns: string[], rows: Row[], options: Partial<PdfOptions> = {}): Promise<ReadPdf> {
  return readPdf(await output(tableOf(columns, rows), options));
}

/** Rows of which each has a word of its own. */
function numbered(count: number): Row[] {
  return Array.from({ length: count }, (_, index) => [`row-${index}.`, `${index * 1.5}`]);
}

describe('PDF output', () => {
  it('shows title, facts, header and rows', async () => {
    const { title, pages } = await pdfOf(['name', 'amount:number'], [['Łódź Ωμέγα Привет', '1.50']], {
      title: 'Straße & Söhne',
    });
    expect(title).to.equal('Straße & Söhne');
    expect(pages).to.have.length(1);
    for (const text of [
      'Straße & Söhne',
      '1 row',
      '22 November 2026 at 06:12 UTC',
      'name',
      'amount',
      'Łódź Ωμέγα Привет',
      '1.50',
      'Page 1 of 1',
    ]) {
      expect(pages[0]).to.include(text);
    }
  });

  it('goes over as many pages as it needs, each with header, title and number, no row lost or twice', async () => {
    const { pages } = await pdfOf(['label', 'value:number'], numbered(200));
    expect(pages.length).to.be.within(4, 8);
    pages.forEach((text, index) => {
      expect(text)
        .to.include('label')
        .and.include('value')
        .and.include('Test')
        .and.include(`Page ${index + 1} of ${pages.length}`);
    });
    const seen = pages.flatMap((text) =>
      [...text.matchAll(/row-(\d+)\./g)].map(([, number]) => Number(number)),
    );
    expect(seen).to.deep.equal(Array.from({ length: 200 }, (_, index) => index));
  });

  it('says so when there are no rows', async () => {
    const { pages } = await pdfOf(['a', 'b'], []);
    expect(pages).to.have.length(1);
    expect(pages[0]).to.include('0 rows').and.include('No rows.').and.include('a');
  });

  it('wraps a long cell to three lines and tells by an ellipsis that there is more', async () => {
    const long = Array.from({ length: 200 }, (_, index) => `word${index}`).join(' ');
    const { pages } = await pdfOf(['a', 'b', 'c'], [[long, long, 'x']]);
    expect(pages[0]).to.include('word0').and.include('…');
    expect(pages[0]).not.to.include('word199');
  });

  it('takes a landscape page for wide tables, and refuses more columns than it holds', async () => {
    const columns = (count: number): string[] =>
      Array.from({ length: count }, (_, index) => `column-${index}`);
    const wide = await pdfOf(columns(20), [columns(20)]);
    expect(wide.pages[0]).to.include('Page 1 of 1');
    const error = await reportError('PDF_TOO_MANY_COLUMNS', output(tableOf(columns(60), [])));
    expect(error.message).to.match(
      /There are 60 columns, and a page holds \d+\. Name at most \d+ in "columns"/,
    );
  });

  it('refuses more rows than the limit, naming it, without reading on', async () => {
    let read = 0;
    const table = { ...tableOf(['a'], []), batches: counted((rows) => (read += rows)) };
    const error = await reportError('PDF_TOO_MANY_ROWS', output(table, { maxRows: 250 }));
    expect(error.message).to.include('more than 250 rows').and.include('REPORTS_PDF_MAX_ROWS');
    expect(read).to.equal(300);
    expect((await pdfOf(['a', 'b'], numbered(250), { maxRows: 250 })).pages).not.to.have.length(0);
  });

  it('draws bars, a bar a label, with labels and round values', async () => {
    const rows = [['north', '10'], ['south', '25'], ['east', '-5']]; // prettier-ignore
    const withChart = await charted(['region', 'sales:number'], rows, { label: 'region', value: 'sales' });
    for (const text of ['sales by region', 'north', 'south', 'east', '30', '-10'])
      expect(withChart.pages[0]).to.include(text);
    const without = await pdfOf(['region', 'sales:number'], rows);
    expect(withChart.fills[0]! - without.fills[0]!).to.equal(3);
  });

  it('draws the forty largest when there are more bars than can be told apart, and says so', async () => {
    const rows = Array.from({ length: 57 }, (_, index) => [`label${index}`, `${index}`]);
    const { pages } = await charted(['l', 'v:number'], rows, { label: 'l', value: 'v' });
    expect(pages[0]).to.include('the 40 largest of 57');
  });

  it('draws a line over dates from real data', async () => {
    const bytes = dataSet('seattle-weather');
    const content = createReadStream(dataSetPath('seattle-weather'));
    const table = await openCsv({ content, bytes: bytes.length, name: 'x' }, new AbortController().signal);
    const chart = new ChartSeries({ label: 'date', value: 'temp_max' }, table.columns);
    const { pages } = await readPdf(
      await output(chart.watch(table), { chart, maxRows: 5_000, title: 'Seattle weather' }),
    );
    expect(pages.length).to.be.within(30, 45);
    for (const text of ['1,461 rows', 'temp_max by date', 'Jan 2012', 'Jul 2015', '2012-01-01', 'drizzle']) {
      expect(pages[0]).to.include(text);
    }
    expect(pages.at(-1)).to.include('2015-12-31').and.include(`Page ${pages.length} of ${pages.length}`);
  });

  it('draws the chart of labels that are alike, alone, or missing', async () => {
    const one = await charted(['l:date', 'v:number'], [['2024-01-01', '5']], { label: 'l', value: 'v' });
    expect(one.pages[0]).to.include('v by l');
    const none = await charted(['l', 'v:number'], [], { label: 'l', value: 'v' });
    expect(none.pages[0]).to.include('No values to draw.');
    const words = await charted(['l', 'v:number'], [['a', '1'], ['b', '2']], { label: 'l', value: 'v', kind: 'line' }); // prettier-ignore
    expect(words.pages[0]).to.include('v by l');
  });

  it('is the same file for the same rows', async () => {
    const one = await output(tableOf(['a', 'b'], numbered(60)));
    expect(one.equals(await output(tableOf(['a', 'b'], numbered(60))))).to.equal(true);
  });

  it('tells how much is drawn', async () => {
    const drawn: number[] = [];
    await output(tableOf(['a', 'b'], numbered(150)), { drawn: (fraction) => drawn.push(fraction) });
    expect(drawn).to.deep.equal([...drawn].sort((one, other) => one - other));
    expect(drawn.at(-1)).to.equal(1);
  });

  it('passes an error of its table on, and stops when it is destroyed', async () => {
    const broken = { ...tableOf(['a'], []), batches: failing() };
    expect(await failureOf(output(broken))).to.have.property('message', 'the source broke');
    const drawn: number[] = [];
    const stream = pdfOutput(tableOf(['a', 'b'], numbered(900)), {
      title: 'x',
      requestedAt,
      warn: () => {},
      maxRows: 1_000,
      drawn: (fraction) => {
        drawn.push(fraction);
        if (drawn.length === 2) stream.destroy();
      },
    });
    expect(await failureOf(buffer(stream))).to.have.property('code', 'ERR_STREAM_PREMATURE_CLOSE');
    expect(drawn).to.have.length(2);
  });
});

async function charted(columns: string[], rows: Row[], request: ChartSeries['request']): Promise<ReadPdf> {
  const table = tableOf(columns, rows);
  const chart = new ChartSeries(request, table.columns);
  return readPdf(await output(chart.watch(table), { chart }));
}

async function* counted(onRead: (rows: number) => void): AsyncGenerator<Row[]> {
  for (;;) {
    onRead(100);
    yield Array.from({ length: 100 }, () => ['x']);
  }
}

async function* failing(): AsyncGenerator<Row[]> {
  yield [['1']];
  throw new Error('the source broke');
}
