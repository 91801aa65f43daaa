import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { SendEmail } from '@jobrail/email/jobs';
import { openStorage, type Storage } from '@jobrail/storage';
import { expect } from 'chai';
import { parse } from 'csv-parse/sync';
import type { Filter, InputOf, Outcome } from 'jobrail';
import { createTestRail, type TestRail } from 'jobrail/testing';
import { BuildReportHandler } from '../../src/build-report.js';
import { readConfig } from '../../src/config.js';
import { BuildReport } from '../../src/jobs.js';
import { ReportError } from '../../src/report-error.js';
import { openReports, type OpenedReports } from '../../src/reports-module.js';
import { dataSet } from '../data-sets.js';
import { readPdf } from '../read-pdf.js';
import { readXlsx } from '../read-xlsx.js';

type Payload = InputOf<typeof BuildReport>;

describe('report.build', () => {
  let folder: string;
  let storage: Storage;
  let reports: OpenedReports;
  let rail: TestRail;

  async function open(env: Record<string, string> = {}, filters: Filter[] = []): Promise<void> {
    const storageUrl = pathToFileURL(folder).href;
    storage = openStorage(storageUrl);
    reports = await openReports(readConfig({ AMQP_URL: 'amqp://unused', STORAGE_URL: storageUrl, ...env }));
    rail = await createTestRail({ handlers: [BuildReportHandler], modules: [reports.module], filters });
    await storage.put('in/weather.csv', dataSet('seattle-weather'));
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'jobrail-reports-'));
  });

  afterEach(async () => {
    await rail.close();
    await reports.close();
    rmSync(folder, { recursive: true });
  });

  const weather = (changes: Partial<Payload> = {}): Payload => ({
    title: 'Seattle weather',
    source: { kind: 'csv', key: 'in/weather.csv' },
    format: 'csv',
    outputKey: 'out/weather.csv',
    ...changes,
  });

  async function build(payload: Payload): Promise<Outcome> {
    await rail.enqueue(BuildReport, payload, { id: 'job-1' });
    await rail.drain();
    return rail.attempts.at(-1)!.outcome;
  }

  async function stored(key: string): Promise<Buffer> {
    return buffer(await storage.get(key));
  }

  /** What lies in the storage, finished or not. */
  const files = (): string[] =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);

  it('builds a CSV of the chosen columns', async () => {
    await open();
    expect(await build(weather({ columns: ['weather', 'date'] }))).to.have.property('kind', 'completed');
    const rows = parse(await stored('out/weather.csv'));
    expect(rows.slice(0, 2)).to.deep.equal([['weather', 'date'], ['drizzle', '2012-01-01']]); // prettier-ignore
    expect(rows).to.have.length(1_462);
  });

  it('builds an XLSX', async () => {
    await open();
    await build(weather({ format: 'xlsx', outputKey: 'out/weather.xlsx' }));
    const { sheets } = readXlsx(await stored('out/weather.xlsx'));
    expect(sheets.map(({ name, rows }) => [name, rows.length])).to.deep.equal([['Seattle weather', 1_462]]);
  });

  it('builds a PDF with a chart of columns that the table does not show', async () => {
    await open();
    await storage.put('in/sales.csv', 'region,sales,note\nnorth,17,ok\nsouth,23,late\n');
    const source = { kind: 'csv' as const, key: 'in/sales.csv' };
    const chart = { label: 'region', value: 'sales' };
    await build(weather({ source, format: 'pdf', outputKey: 'out/sales.pdf', chart, columns: ['note'] }));
    const { pages } = await readPdf(await stored('out/sales.pdf'));
    expect(pages[0]).to.include('sales by region').and.include('late').and.not.include('23');
  });

  it('builds an equal file, and a mail of the same id, when an attempt is repeated', async () => {
    const built: Buffer[] = [];
    await open({}, [
      {
        name: 'as if the process had died before the job was settled',
        attempt: async ({ job }, next) => {
          const outcome = await next();
          built.push(await stored('out/weather.xlsx'));
          return job.attempt === 1 ? { kind: 'retry', inMs: 1_000, error: new Error('died') } : outcome;
        },
      },
    ]);
    await build(weather({ format: 'xlsx', outputKey: 'out/weather.xlsx', notify: 'ada@example.com' }));
    expect(built).to.have.length(2);
    expect(built[0]!.equals(built[1]!)).to.equal(true);
    for (let mail = 0; mail < 2; mail++) {
      const delivery = await rail.broker.get('test.email.p1');
      expect(delivery?.properties.messageId).to.equal('job-1.ready');
      delivery!.ack();
    }
  });

  it('enqueues a mail, as a child job, when there is someone to notify', async () => {
    await open();
    await build(weather({ notify: 'ada@example.com' }));
    const mail = await rail.broker.get('test.email.p1');
    expect(mail?.properties.type).to.equal(SendEmail.name);
    expect(mail?.properties.messageId).to.equal('job-1.ready');
    expect(mail?.properties.headers['x-jobrail-causation']).to.equal('job-1');
    expect(JSON.parse(mail!.body.toString())).to.deep.equal({
      to: 'ada@example.com',
      template: 'report-ready',
      data: { title: 'Seattle weather', format: 'csv', rows: 1_461, key: 'out/weather.csv' },
      attachments: [{ key: 'out/weather.csv', filename: 'Seattle weather.csv' }],
    });
  });

  it('enqueues no mail when there is nobody to notify', async () => {
    await open();
    await build(weather());
    expect(await rail.broker.depth('test.email.p1')).to.equal(undefined);
  });

  const fatal: [what: string, changes: Partial<Payload>, message: RegExp][] = [
    [
      'a CSV that is not there',
      { source: { kind: 'csv', key: 'in/none.csv' } },
      /no file of key "in\/none\.csv"/,
    ],
    ['a key that leaves the storage', { source: { kind: 'csv', key: '../secret.csv' } }, /is no storage key/],
    ['an output key that leaves the storage', { outputKey: '../../etc/cron.d/x' }, /is no storage key/],
    [
      'a malformed CSV',
      { source: { kind: 'csv', key: 'in/bad.csv' } },
      /in\/bad\.csv is no proper CSV: line 3 /,
    ],
    ['an unknown column', { columns: ['date', 'rain'] }, /columns names "rain".*"precipitation"/],
    ['an unknown chart column', { chart: { label: 'date', value: 'rain' } }, /chart\.value names "rain"/],
    ['a query without a database', { source: { kind: 'postgres', query: 'sales' } }, /DATABASE_URL/],
    ['a PDF beyond the limit', { format: 'pdf' }, /more than 1000 rows.*REPORTS_PDF_MAX_ROWS/],
    [
      'a chart of words',
      { format: 'pdf', source: { kind: 'csv', key: 'in/words.csv' }, chart: { label: 'a', value: 'b' } },
      /holds no number/,
    ],
  ];
  for (const [what, changes, message] of fatal) {
    it(`gives ${what} up at once, and leaves nothing`, async () => {
      await open({ REPORTS_PDF_MAX_ROWS: '1000' });
      await storage.put('in/bad.csv', 'a,b\n1,2\n1,2,3\n');
      await storage.put('in/words.csv', 'a,b\nx,y\n');
      const before = files();
      const outcome = await build(weather({ ...changes, notify: 'ada@example.com' }));
      expect(outcome).to.include({ kind: 'dead', reason: 'fatal' });
      const { error } = outcome as { error: Error };
      expect(error.message).to.match(message);
      if (error instanceof ReportError) expect(error.code).to.match(/^[A-Z_]+$/);
      expect(rail.attempts).to.have.length(1);
      expect(files()).to.deep.equal(before);
      expect(await rail.broker.depth('test.email.p1')).to.equal(undefined);
    });
  }

  it('leaves the report of before when a new one cannot be built', async () => {
    await open();
    await build(weather());
    const before = await stored('out/weather.csv');
    await storage.put('in/weather.csv', `a,b\n${'1,2\n'.repeat(50_000)}1\n`);
    expect(await build(weather())).to.include({ kind: 'dead' });
    expect(before.equals(await stored('out/weather.csv'))).to.equal(true);
  });

  it('tries again when the database cannot be reached, and gives up after eight attempts', async () => {
    const queries = join(folder, 'queries');
    await openStorage(pathToFileURL(folder).href).put('queries/sales.sql', 'select 1');
    // Port 1 of the machine itself: refused at once.
    await open({ DATABASE_URL: 'postgres://127.0.0.1:1/none', REPORTS_QUERIES: queries });
    const outcome = await build(weather({ source: { kind: 'postgres', query: 'sales' } }));
    expect(outcome).to.include({ kind: 'dead', reason: 'retries-exhausted' });
    expect((outcome as { error: Error }).error.message).to.include('ECONNREFUSED');
    expect(rail.attempts).to.have.length(8);
    expect(existsSync(join(folder, 'out'))).to.equal(false);
  });
});
