import { expect } from 'chai';
import { readFile } from 'node:fs/promises';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { fixed, type HandlerClass } from '../../src/index.js';
import { metricNames } from '../../src/filters/metrics.js';
import { startTelemetry, type Telemetry } from '../../src/telemetry.js';
import { useStage } from './stage.js';
import { lone, working } from './working.js';

const compose = fileURLToPath(new URL('../../../../compose/', import.meta.url));

/** The series that Prometheus gets of each metric, by what it is. */
const endings: Partial<Record<keyof typeof metricNames, string[]>> = {
  ...Object.fromEntries(
    ['operationDuration', 'processDuration', 'waited', 'lateness'].map((name) => [
      name,
      ['_bucket', '_sum', '_count'],
    ]),
  ),
  ...Object.fromEntries(['sent', 'consumed', 'attempts', 'deadLetters'].map((name) => [name, ['_total']])),
};

/** As Prometheus writes the names of OpenTelemetry: without its endings for counters, units and buckets. */
const prometheusName = (name: string) => name.replace(/\./g, '_');

const series = Object.entries(metricNames).flatMap(([key, name]) =>
  (endings[key as keyof typeof metricNames] ?? ['']).map((ending) => `${prometheusName(name)}${ending}`),
);

describe('metrics', () => {
  const stage = useStage();
  let telemetry: Telemetry;

  before(() => {
    const before = process.env['OTEL_TRACES_EXPORTER'];
    process.env['OTEL_TRACES_EXPORTER'] = 'none';
    telemetry = startTelemetry({ service: 'metrics-test' });
    if (before === undefined) delete process.env['OTEL_TRACES_EXPORTER'];
    else process.env['OTEL_TRACES_EXPORTER'] = before;
  });
  after(() => telemetry.shutdown());

  async function freePort(): Promise<number> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return port;
  }

  it('are on /metrics of a service: sends, attempts by outcome, waits, dead letters, slots and consumers', async () => {
    const contract = lone('metered');
    const handler: HandlerClass = working(
      contract,
      ({ note }, job) => {
        if (note === 'dies') throw new TypeError('no');
        if (note === 'twice' && job.attempt === 1) throw new RangeError('not yet');
      },
      { retry: fixed({ attempts: 2, every: '10ms' }) },
    );
    const port = await freePort();
    await stage.start({
      handlers: [handler],
      queues: { metered: { concurrency: 3 } },
      health: { port, host: '127.0.0.1' },
    });
    for (const note of ['fine', 'twice', 'dies'])
      await stage.client.enqueue(contract, { note }, { delay: 5 });
    await stage.signals.next(2, { what: 'ended', outcome: 'completed' });
    await stage.signals.first({ what: 'ended', outcome: 'dead' });
    const page = await (
      await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: 'close' } })
    ).text();

    for (const name of series) expect(page).to.match(new RegExp(`^${name}[{ ]`, 'm'));
    const value = (line: RegExp) => Number(new RegExp(`^${line.source} ([\\d.]+)`, 'm').exec(page)?.[1]);
    const of = (labels: string) => `\\{[^}]*${labels}[^}]*\\}`;
    expect(value(new RegExp(`jobrail_attempts_total${of('jobrail_outcome="completed"')}`))).to.equal(2);
    expect(value(new RegExp(`jobrail_attempts_total${of('jobrail_outcome="retry"')}`))).to.equal(2);
    expect(
      value(new RegExp(`jobrail_dead_letters_total${of('jobrail_dead_reason="retries-exhausted"')}`)),
    ).to.equal(1);
    expect(
      value(new RegExp(`messaging_client_sent_messages_total${of('jobrail_queue="metered"')}`)),
    ).to.equal(3);
    expect(
      value(new RegExp(`messaging_process_duration_count${of('error_type="TypeError"')}`)),
    ).to.be.at.least(1);
    expect(value(new RegExp(`jobrail_slots${of('jobrail_queue="metered"')}`))).to.equal(3);
    expect(value(new RegExp(`jobrail_consumer_up${of('jobrail_queue="metered"')}`))).to.equal(1);
    expect(page).not.to.match(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/); // no ids among the labels
  });

  for (const file of ['prometheus-rules.yaml', 'grafana-jobrail.json']) {
    it(`${file} asks for metrics and labels that there are`, async () => {
      const text = await readFile(`${compose}${file}`, 'utf8');
      const asked = [...new Set(text.match(/\b(?:jobrail|messaging)_[a-z_]+/g))];
      const labels = new Set(['jobrail_queue', 'jobrail_contract', 'jobrail_outcome', 'jobrail_dead_reason']);
      // Those of the monitor are held to its code by its own test.
      const names = asked.filter((name) => !labels.has(name) && !name.startsWith('jobrail_monitor_'));
      expect(names.length).to.be.at.least(6);
      for (const name of names) expect(series, `${file}: ${name}`).to.include(name);
    });
  }
});
