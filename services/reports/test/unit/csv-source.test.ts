import { Readable } from 'node:stream';
import { expect } from 'chai';
import { openCsv } from '../../src/source/csv-source.js';
import type { Row, Table } from '../../src/table/table.js';
import { dataSet } from '../data-sets.js';
import { failureOf, reportError } from '../failure-of.js';
import { rowsOf } from '../table-of.js';

const never = new AbortController().signal;

function open(content: string | Buffer, chunkBytes = 64 * 1_024, signal = never): Promise<Table> {
  const bytes = Buffer.from(content);
  const chunks = function* (): Generator<Buffer> {
    for (let from = 0; from < bytes.length; from += chunkBytes) yield bytes.subarray(from, from + chunkBytes);
  };
  return openCsv({ content: Readable.from(chunks()), bytes: bytes.length, name: 'in.csv' }, signal);
}

async function read(content: string | Buffer, chunkBytes?: number): Promise<Row[]> {
  return rowsOf(await open(content, chunkBytes));
}

describe('a CSV source', () => {
  it('gives names, kinds and rows; an empty field is null', async () => {
    const table = await open('id,name,day,ok\n1,"Ada, Countess",2024-01-01,true\n2,,2024-01-02,false\n');
    expect(table.columns).to.deep.equal([
      { name: 'id', kind: 'number' },
      { name: 'name', kind: 'text' },
      { name: 'day', kind: 'date' },
      { name: 'ok', kind: 'boolean' },
    ]);
    expect(await rowsOf(table)).to.deep.equal([
      ['1', 'Ada, Countess', '2024-01-01', 'true'],
      ['2', null, '2024-01-02', 'false'],
    ]);
  });

  it('takes CRLF, a byte order mark, blank lines and a missing line end', async () => {
    expect(await read('\ufeffa,b\r\n1,2\r\n\r\n"x\r\ny",3')).to.deep.equal([
      ['1', '2'],
      ['x\r\ny', '3'],
    ]);
  });

  it('may have no rows', async () => {
    const table = await open('a,b\n');
    expect(table.columns).to.have.length(2);
    expect(await rowsOf(table)).to.deep.equal([]);
  });

  it('reads characters that are cut apart by the chunks of the stream', async () => {
    expect(await read('a\nZürich → 一 😀\n', 1)).to.deep.equal([['Zürich → 一 😀']]);
  });

  it('tells how much is read, and comes in batches', async () => {
    const table = await open(dataSet('birdstrikes'));
    const fractions: number[] = [];
    let rows = 0;
    for await (const batch of table.batches) {
      expect(batch.length).to.be.at.most(1_001);
      rows += batch.length;
      fractions.push(table.fraction());
    }
    expect(rows).to.equal(10_000);
    expect(fractions).to.deep.equal([...fractions].sort((one, other) => one - other));
    expect(fractions[0]).to.be.lessThan(0.3);
    expect(fractions.at(-1)).to.equal(1);
  });

  it('takes the kinds of real data', async () => {
    const kinds = async (bytes: Buffer): Promise<string> => {
      const table = await open(bytes);
      await table.close();
      return table.columns.map(({ name, kind }) => `${name}:${kind}`).join(' ');
    };
    expect(await kinds(dataSet('stocks'))).to.equal('symbol:text date:date price:number');
    expect(await kinds(dataSet('github'))).to.equal('time:moment count:number');
    expect(await kinds(dataSet('zipcodes'))).to.include('zip_code:text latitude:number');
    expect(await kinds(dataSet('airports'))).to.equal(
      'iata:text name:text city:text state:text country:text latitude:number longitude:number',
    );
  });

  const malformed: [what: string, content: string | Buffer, message: RegExp][] = [
    ['an empty file', '', /in\.csv is empty: it has no line 1/],
    ['a field too many', 'a,b\n1,2\n1,2,3\n', /line 3 has another number of fields than the header/],
    ['a field too few behind a field of three lines', 'a,b\n"x\ny\nz",2\n1\n', /line 5 has another number/],
    [
      'a quote that is never closed',
      'a,b\n1,2\n3,"4\n5,6\n',
      /line 3 begins a row with a quote that is never closed/,
    ],
    ['a quote in a field without quotes', 'a,b\n1,2"3\n', /line 2 has a quote in the middle/],
    ['text behind a closing quote', 'a,b\n"1"x,2\n', /line 2 has text behind the quote/],
    ['Latin-1', Buffer.from('a\nok\nZürich\n', 'latin1'), /not UTF-8 at line 3/],
    ['UTF-16', Buffer.from('\ufeffa,b\n', 'utf16le'), /not UTF-8 at line 1/],
    ['a character cut off by the end', Buffer.from([0x61, 0x0a, 0xe4, 0xb8]), /not UTF-8 at line 2/],
  ];
  for (const [what, content, message] of malformed) {
    for (const chunkBytes of [1, 64 * 1_024]) {
      it(`refuses ${what}, in chunks of ${chunkBytes}`, async () => {
        const error = await reportError('CSV_MALFORMED', read(content, chunkBytes));
        expect(error.message).to.match(message);
        expect(error.mend).to.match(/\.$/);
      });
    }
  }

  it('tells the line of a fault that lies behind many rows', async () => {
    const content = `a,b\n${'1,2\n'.repeat(5_000)}1\n`;
    const error = await reportError('CSV_MALFORMED', read(content));
    expect(error.message).to.include('line 5002 ');
  });

  it('takes a row of more than a megabyte for a quote that was not closed, and does not hold it in memory', async () => {
    const content = `a,b\n1,"${'x'.repeat(1_100_000)}`;
    const error = await reportError('CSV_MALFORMED', read(content));
    expect(error.message).to.match(/line 2 begins a row of more than 1048576 bytes/);
  });

  it('closes its file when it is closed, when it fails and when the job is aborted', async () => {
    const endless = (): Readable =>
      Readable.from(
        (function* () {
          yield 'a,b\n';
          for (;;) yield '1,2\n'.repeat(1_000);
        })(),
        { objectMode: false },
      );
    const closed = endless();
    const table = await openCsv({ content: closed, bytes: 1, name: 'x' }, never);
    await table.close();
    expect(closed.destroyed).to.equal(true);

    const aborted = endless();
    const controller = new AbortController();
    const stopped = await openCsv({ content: aborted, bytes: 1, name: 'x' }, controller.signal);
    const batches = stopped.batches[Symbol.asyncIterator]();
    await batches.next();
    controller.abort(new Error('enough'));
    expect(await failureOf(batches.next().then(() => batches.next()))).to.have.property('name', 'AbortError');
    expect(aborted.destroyed).to.equal(true);
  });

  it('passes an error of the storage on as it is', async () => {
    const content = new Readable({ read: () => {} });
    const opening = openCsv({ content, bytes: 1, name: 'x' }, never);
    content.destroy(new Error('EIO'));
    expect(await failureOf(opening)).to.have.property('message', 'EIO');
  });
});
