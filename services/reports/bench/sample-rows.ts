import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Eight columns of about 110 characters a row: numbers, text, a moment, a boolean, a quoted field. */
const header = 'id,name,email,city,amount,created,active,note\n';

/** The same rows as `sampleQuery` gives. */
export async function writeSampleCsv(path: string, rows: number): Promise<void> {
  await pipeline(Readable.from(lines(rows), { objectMode: false }), createWriteStream(path));
}

function* lines(rows: number): Generator<string> {
  yield header;
  for (let first = 1; first <= rows; first += 1_000) {
    let text = '';
    for (let id = first; id < first + 1_000 && id <= rows; id++) text += line(id);
    yield text;
  }
}

function line(id: number): string {
  const created = new Date(1_600_000_000_000 + id * 60_000).toISOString().slice(0, 19);
  return (
    `${id},Customer ${id},customer${id}@example.com,São Paulo,` +
    `${(id * 1.25).toFixed(2)},${created},${id % 2 === 0},"paid, and delivered"\n`
  );
}

/** Takes the number of rows as `$1`. */
export const sampleQuery = `
select id, 'Customer ' || id as name, 'customer' || id || '@example.com' as email, 'São Paulo' as city,
  round(id * 1.25, 2) as amount, timestamp '2020-09-13 12:26:40' + id * interval '1 minute' as created,
  id % 2 = 0 as active, 'paid, and delivered' as note
from generate_series(1, $1::int) as id`;
