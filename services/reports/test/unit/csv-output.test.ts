import { createReadStream } from 'node:fs';
import { buffer, text } from 'node:stream/consumers';
import { expect } from 'chai';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { csvOutput } from '../../src/output/csv-output.js';
import { looksLikeFormula } from '../../src/output/formula-guard.js';
import { openCsv } from '../../src/source/csv-source.js';
import type { Row } from '../../src/table/table.js';
import { type DataSet, dataSet, dataSetPath } from '../data-sets.js';
import { rowsOf, tableOf } from '../table-of.js';

const never = new AbortController().signal;

function written(columns: string[], rows: Row[]): Promise<string> {
  return text(csvOutput(tableOf(columns, rows, 2)));
}

function guarded(value: string): string {
  return looksLikeFormula(value) ? `'${value}` : value;
}

describe('CSV output', () => {
  it('quotes where needed only, and tells an absent value from an empty text', async () => {
    const rows = [
      ['plain', 'a,b', null],
      ['say "hi"', 'x\ny', ''],
      [' lead', 'trail ', '-5'],
    ];
    expect(await written(['a', 'b', 'c'], rows)).to.equal(
      'a,b,c\r\nplain,"a,b",\r\n"say ""hi""","x\ny",""\r\n" lead","trail ",-5\r\n',
    );
  });

  it('puts an apostrophe before what a spreadsheet would run', async () => {
    const output = await written(['=cmd()'], [['=1+1'], ["+cmd|' /C calc'!A0"], ['@x'], ['-1'], ['\t=1']]);
    expect(output).to.equal("'=cmd()\r\n'=1+1\r\n'+cmd|' /C calc'!A0\r\n'@x\r\n-1\r\n'\t=1\r\n");
  });

  it('writes an absent value that is alone in its row so that the row is not lost', async () => {
    const output = await written(['a'], [['1'], [null], ['2']]);
    expect(parse(output)).to.deep.equal([['a'], ['1'], [''], ['2']]);
  });

  it('is read back equal, whatever the cells hold', async () => {
    const cell = fc.option(fc.string({ unit: 'grapheme' }), { nil: null });
    const tables = fc
      .integer({ min: 1, max: 4 })
      .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1 }));
    await fc.assert(
      fc.asyncProperty(tables, async (rows) => {
        const columns = rows[0]!.map((_, index) => `c${index}`);
        const bytes = await buffer(csvOutput(tableOf(columns, rows)));
        const back = parse(bytes, { record_delimiter: '\r\n' });
        const expected = rows.map((row) => row.map((value) => guarded(value ?? '')));
        expect(back).to.deep.equal([columns, ...expected]);
      }),
      { numRuns: 200 },
    );
  });

  for (const name of ['airports', 'seattle-weather', 'stocks'] as DataSet[]) {
    it(`gives ${name}.csv back as it came`, async () => {
      const source = dataSet(name);
      const content = createReadStream(dataSetPath(name));
      const table = await openCsv({ content, bytes: source.length, name }, never);
      const output = await text(csvOutput(table));
      const expected = parse(source, { bom: true });
      expected[0] = expected[0]!.map((field) => field.trim());
      expect(parse(output)).to.deep.equal(expected);
    });
  }

  it('releases its table when it is destroyed', async () => {
    let released = false;
    const table = {
      ...tableOf(['a'], []),
      batches: (async function* () {
        try {
          for (;;) yield [['x'.repeat(1_000)]];
        } finally {
          released = true;
        }
      })(),
    };
    const output = csvOutput(table);
    for await (const chunk of output) {
      expect(chunk).to.be.instanceOf(Buffer);
      break;
    }
    expect(released).to.equal(true);
    expect(await rowsOf(table)).to.deep.equal([]);
  });
});
