import { expect } from 'chai';
import { ChartSeries } from '../../src/output/pdf/chart-series.js';
import type { Row } from '../../src/table/table.js';
import { reportError } from '../failure-of.js';
import { rowsOf, tableOf } from '../table-of.js';

async function series(
  columns: string[],
  rows: Row[],
  request = { label: 'l', value: 'v' },
): Promise<ChartSeries> {
  const table = tableOf(columns, rows);
  const chart = new ChartSeries(request, table.columns);
  expect(await rowsOf(chart.watch(table))).to.deep.equal(rows);
  return chart;
}

describe('ChartSeries', () => {
  it('adds up values of equal labels and keeps the order of words', async () => {
    const chart = await series(['l', 'v:number'], [['b', '1'], ['a', '2'], ['b', '3.5']]); // prettier-ignore
    expect(chart.kind).to.equal('bar');
    expect(chart.title).to.equal('Sum of v by l');
    expect(chart.points()).to.deep.equal([
      { label: 'b', at: 0, value: 4.5 },
      { label: 'a', at: 1, value: 2 },
    ]);
  });

  it('is a line for dates and numbers, in their order', async () => {
    const chart = await series(['l:date', 'v:number'], [['2024-01-02', '1'], ['2024-01-01', '2']]); // prettier-ignore
    expect(chart.kind).to.equal('line');
    expect(chart.title).to.equal('v by l');
    expect(chart.points().map(({ value }) => value)).to.deep.equal([2, 1]);
    expect((await series(['l:number', 'v:number'], [['1', '1']])).kind).to.equal('line');
  });

  it('leaves out what is no number, no label or no date', async () => {
    const rows = [['2024-01-01', 'NA'], [null, '1'], ['2024-01-02', null], ['someday', '1'], ['2024-01-03', '7']]; // prettier-ignore
    const chart = await series(['l:date', 'v'], rows);
    expect(chart.points()).to.have.length(1);
  });

  it('refuses a value column without any number', async () => {
    const chart = await series(['l', 'v'], [['a', 'x'], ['b', ' ']]); // prettier-ignore
    const error = await reportError(
      'CHART_NOT_NUMERIC',
      Promise.resolve().then(() => chart.points()),
    );
    expect(error.message).to.include('chart.value names "v", which holds no number but "x"');
  });

  it('draws nothing, and complains of nothing, without rows', async () => {
    expect((await series(['l', 'v'], [])).points()).to.deep.equal([]);
  });

  it('refuses columns that are not there', async () => {
    for (const request of [
      { label: 'x', value: 'v' },
      { label: 'l', value: 'x' },
    ]) {
      const error = await reportError('COLUMN_UNKNOWN', series(['l', 'v'], [], request));
      expect(error.message).to.match(/^chart\.(label|value) names "x"/);
    }
  });
});
