import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { BuildReport } from '../../src/jobs.js';
import { ReportsRail } from '../reports-rail.js';
import { TestDatabase } from '../test-database.js';

/** Two rows a millisecond or so, for some ten seconds. */
const slowQuery = "select i, repeat('x', 100) as x, pg_sleep(0.001) as slow from generate_series(1, 8000) i";

describe('a report whose service stops while it is being built', function () {
  this.timeout(60_000);
  let rail: ReportsRail | undefined;
  let database: TestDatabase | undefined;

  beforeEach(async function () {
    if (!process.env['AMQP_URL'] && !process.env['CI']) this.skip();
    database = await TestDatabase.open();
    if (!database) this.skip();
    rail = await ReportsRail.open();
  });
  afterEach(async () => {
    await rail?.close();
    await database?.close();
    rail = database = undefined;
  });

  for (const format of ['csv', 'xlsx', 'pdf'] as const) {
    it(`leaves no part of the ${format.toUpperCase()} and no query, and goes back to its queue`, async () => {
      const queries = await rail!.query('slow', slowQuery);
      const application = `test ${randomUUID()}`;
      const url = new URL(database!.url);
      url.searchParams.set('application_name', application);
      const service = await rail!.start(
        { DATABASE_URL: url.href, REPORTS_QUERIES: queries },
        { gracePeriod: '1ms' },
      );
      const { id } = await rail!.client.enqueue(BuildReport, {
        title: 'Slow',
        source: { kind: 'postgres', query: 'slow' },
        format,
        outputKey: `out/slow.${format}`,
        notify: 'ada@example.com',
      });
      await rail!.sighting('progress', id);
      expect(await database!.busy(application)).to.equal(1);
      await service.stop();
      expect((await rail!.sighting('outcome', id)).outcome.kind).to.equal('released');
      expect(await rail!.files()).to.deep.equal(['slow.sql']);
      while ((await database!.busy(application)) > 0);
      const message = await rail!.take('reports');
      expect(message?.properties.messageId).to.equal(id);
      expect(await rail!.waitingIn('email.p1')).to.equal(undefined);
    });
  }
});
