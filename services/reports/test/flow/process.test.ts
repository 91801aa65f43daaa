import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { parse } from 'csv-parse/sync';
import { BuildReport } from '../../src/jobs.js';
import { dataSet } from '../data-sets.js';
import { readPdf } from '../read-pdf.js';
import { readXlsx } from '../read-xlsx.js';
import { ReportsRail } from '../reports-rail.js';
import { ServiceProcess } from '../service-process.js';
import { SpanCollector } from '../span-collector.js';
import { TestDatabase } from '../test-database.js';

const trace = { id: '4bf92f3577b34da6a3ce929d0e0e4736', parent: '00f067aa0ba902b7' };

describe('the reports service as a process', function () {
  this.timeout(120_000);
  let rail: ReportsRail | undefined;
  let service: ServiceProcess | undefined;
  let database: TestDatabase | undefined;
  let collector: SpanCollector | undefined;

  beforeEach(async function () {
    if (!process.env['AMQP_URL'] && !process.env['CI']) this.skip();
    rail = await ReportsRail.open();
    // As if the request that asks for a report had a trace.
    rail.client.use({
      name: 'the trace of the test',
      publish: ({ message }, next) => {
        message.properties.headers['traceparent'] = `00-${trace.id}-${trace.parent}-01`;
        return next();
      },
    });
  });
  afterEach(async () => {
    await service?.end();
    await collector?.close();
    await rail?.close();
    await database?.close();
    service = collector = rail = database = undefined;
  });

  it('builds what waited for it, mails, keeps what it cannot build, and ends with exit code 0', async () => {
    collector = await SpanCollector.listen();
    await rail!.storage.put('in/weather.csv', dataSet('seattle-weather'));
    const { id } = await rail!.client.enqueue(BuildReport, {
      title: 'Seattle weather',
      source: { kind: 'csv', key: 'in/weather.csv' },
      format: 'pdf',
      outputKey: 'out/weather.pdf',
      columns: ['date', 'temp_max', 'weather'],
      chart: { label: 'date', value: 'temp_max' },
      notify: 'ada@example.com',
    });
    service = new ServiceProcess({
      ...rail!.environment,
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    });
    await service.line(id, 'job completed');
    const { pages } = await readPdf(await rail!.read('out/weather.pdf'));
    expect(pages.length).to.be.within(30, 45);
    expect(pages[0])
      .to.include('temp_max by date')
      .and.include('1,461 rows')
      .and.not.include('precipitation');

    const mail = await rail!.take('email.p1');
    expect(mail?.properties).to.include({ type: 'email.send', messageId: `${id}.ready`, correlationId: id });
    expect(mail?.properties.headers['x-jobrail-causation']).to.equal(id);
    expect(mail?.properties.headers['traceparent']).to.match(new RegExp(`^00-${trace.id}-`));
    expect(JSON.parse(mail!.body.toString())).to.deep.include({
      to: 'ada@example.com',
      data: { title: 'Seattle weather', format: 'pdf', rows: 1_461, key: 'out/weather.pdf' },
      attachments: [{ key: 'out/weather.pdf', filename: 'Seattle weather.pdf' }],
    });

    const bad = await rail!.client.enqueue(BuildReport, {
      title: 'Nothing',
      source: { kind: 'csv', key: 'in/none.csv' },
      format: 'csv',
      outputKey: 'out/none.csv',
      notify: 'ada@example.com',
    });
    await service.line(bad.id, 'kept as a dead letter');

    service.terminate();
    expect(await service.exited, service.output.join('\n')).to.equal(0);

    const letter = await rail!.take('reports.dead');
    expect(letter?.properties.messageId).to.equal(bad.id);
    expect(letter?.properties.headers).to.include({ 'x-jobrail-dead-reason': 'fatal' });
    expect(letter?.properties.headers['x-jobrail-error-message']).to.include(
      'There is no file of key "in/none.csv"',
    );
    expect(await rail!.waitingIn('email.p1')).to.equal(0);

    const process = collector.spans.find(
      ({ name, parentSpanId }) => name === 'process report.build' && parentSpanId === trace.parent,
    );
    const send = collector.spans.find(({ name }) => name === 'send email.send');
    expect(process?.traceId).to.equal(trace.id);
    expect(send).to.include({ traceId: trace.id, parentSpanId: process?.spanId });
  });

  it('builds XLSX and CSV from a configured query', async function () {
    database = await TestDatabase.open();
    if (!database) this.skip();
    const queries = await rail!.query(
      'squares',
      "select i as number, i * i as square, date '2024-01-01' + i as day from generate_series(1, $1::int) i",
    );
    service = new ServiceProcess({
      ...rail!.environment,
      DATABASE_URL: database.url,
      REPORTS_QUERIES: queries,
    });
    const squares = { kind: 'postgres' as const, query: 'squares', params: [3_000] };
    const ids = await Promise.all(
      (['xlsx', 'csv'] as const).map(async (format) => {
        const payload = { title: 'Squares', source: squares, format, outputKey: `out/squares.${format}` };
        return (await rail!.client.enqueue(BuildReport, payload)).id;
      }),
    );
    for (const id of ids) await service.line(id, 'job completed');
    const [sheet] = readXlsx(await rail!.read('out/squares.xlsx')).sheets;
    expect(sheet?.rows).to.have.length(3_001);
    expect(sheet?.rows[3_000]).to.deep.equal([3_000, 9_000_000, new Date('2032-03-19')]);
    const rows = parse(await rail!.read('out/squares.csv'));
    expect(rows).to.have.length(3_001);
    expect(rows[3_000]).to.deep.equal(['3000', '9000000', '2032-03-19']);

    const unknown = {
      title: 'x',
      source: { kind: 'postgres' as const, query: 'cubes' },
      format: 'csv' as const,
      outputKey: 'out/x.csv',
    };
    const bad = await rail!.client.enqueue(BuildReport, unknown);
    await service.line(bad.id, 'kept as a dead letter', 'There is no query', 'Name one of: squares');
  });

  it('ends the start with an error that names what is wrong', async () => {
    service = new ServiceProcess({
      ...rail!.environment,
      REPORTS_QUERIES: '/nowhere',
      DATABASE_URL: 'postgres://127.0.0.1',
    });
    await service.line('REPORTS_QUERIES cannot be used', '/nowhere');
    expect(await service.exited).not.to.equal(0);
    service = new ServiceProcess({ ...rail!.environment, REPORTS_PDF_FONT: '/nowhere.ttf' });
    await service.line('The font /nowhere.ttf cannot be read', 'REPORTS_PDF_FONT');
    expect(await service.exited).not.to.equal(0);
  });

  it('documents every variable that it reads', async () => {
    const source = await readFile(new URL('../../../src/config.ts', import.meta.url), 'utf8');
    const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
    const names = new Set([...source.matchAll(/env, '([A-Z_]+)'/g)].map(([, name]) => name));
    expect(names.size).to.be.above(10);
    for (const name of names) expect(readme).to.include(`| \`${name}\``);
  });
});
