import { expect } from 'chai';
import { type Case, Workbench } from '../../bench/measure.js';

/** Both PostgreSQL cases need DATABASE_URL. */
describe('the memory of a large report', function () {
  this.timeout(180_000);
  const rows = 200_000;
  let bench: Workbench;

  before(async () => {
    bench = await Workbench.open(process.env['DATABASE_URL']);
  });
  after(() => bench.close());

  const cases: Omit<Case, 'rows'>[] = [
    { source: 'csv', format: 'csv' },
    { source: 'csv', format: 'xlsx' },
    { source: 'postgres', format: 'csv' },
    { source: 'postgres', format: 'xlsx' },
  ];
  for (const { source, format } of cases) {
    it(`stays below 300 MB for ${rows.toLocaleString('en')} rows from ${source} to ${format}`, async function () {
      if (source === 'postgres' && !process.env['DATABASE_URL'] && !process.env['CI']) this.skip();
      const { idleMb, peakMb, outputMb } = await bench.measure({ rows, source, format });
      expect(outputMb).to.be.greaterThan(format === 'csv' ? 20 : 5);
      expect(peakMb, `idle it was ${idleMb}`).to.be.lessThan(300);
    });
  }

  it('stays below 300 MB for a PDF of as many rows as it may have', async () => {
    const { peakMb } = await bench.measure({ rows: 20_000, source: 'csv', format: 'pdf' });
    expect(peakMb).to.be.lessThan(300);
  });
});
