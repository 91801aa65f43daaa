import { expect } from 'chai';
import { BuildReport } from '../../src/jobs.js';

const valid = {
  title: 'Sales',
  source: { kind: 'csv', key: 'in/sales.csv' },
  format: 'pdf',
  outputKey: 'out/sales.pdf',
};

async function issuesOf(payload: unknown): Promise<string[]> {
  const result = await BuildReport.payload['~standard'].validate(payload);
  return (result.issues ?? []).map(({ path }) => (path ?? []).map(String).join('.'));
}

describe('the contract report.build', () => {
  const accepted: [what: string, payload: unknown][] = [
    ['a CSV', valid],
    [
      'a query with parameters',
      { ...valid, source: { kind: 'postgres', query: 'sales-2024_q1', params: ['x', 1, true, null] } },
    ],
    [
      'columns, chart and mail',
      {
        ...valid,
        columns: ['a'],
        chart: { label: 'a', value: 'b', kind: 'line' },
        notify: 'ada@example.com',
      },
    ],
  ];
  for (const [what, payload] of accepted) {
    it(`takes ${what}`, async () => expect(await issuesOf(payload)).to.deep.equal([]));
  }

  const refused: [what: string, payload: unknown, path: string][] = [
    [
      'SQL as the name of a query',
      { ...valid, source: { kind: 'postgres', query: 'select 1' } },
      'source.query',
    ],
    [
      'a path as the name of a query',
      { ...valid, source: { kind: 'postgres', query: '../secret' } },
      'source.query',
    ],
    [
      'an object as parameter',
      { ...valid, source: { kind: 'postgres', query: 'a', params: [{}] } },
      'source.params.0',
    ],
    ['another kind of source', { ...valid, source: { kind: 'http', url: 'http://x' } }, 'source.kind'],
    ['SQL beside the source', { ...valid, source: { ...valid.source, sql: 'select 1' } }, 'source'],
    ['another format', { ...valid, format: 'docx' }, 'format'],
    ['a blank title', { ...valid, title: ' ' }, 'title'],
    ['no output key', { ...valid, outputKey: '' }, 'outputKey'],
    ['no column', { ...valid, columns: [] }, 'columns'],
    ['half a chart', { ...valid, chart: { label: 'a' } }, 'chart.value'],
    ['no address', { ...valid, notify: 'ada' }, 'notify'],
    ['a field that it does not know', { ...valid, ouputKey: 'x' }, ''],
  ];
  for (const [what, payload, path] of refused) {
    it(`refuses ${what}`, async () => expect(await issuesOf(payload)).to.deep.equal([path]));
  }
});
