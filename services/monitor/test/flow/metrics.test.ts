import { expect } from 'chai';
import { readFile } from 'node:fs/promises';
import { startTelemetry, type Telemetry } from 'jobrail/telemetry';
import { metricNames } from '../../src/metrics.js';
import { ask, until, useMonitors } from '../running-monitor.js';
import { useStore } from '../store-corner.js';
import { storyOf, Telling } from '../told.js';

const compose = new URL('../../../../../compose/', import.meta.url);
const inPrometheus = {
  lag: metricNames.lag.replaceAll('.', '_'),
  events: `${metricNames.events.replaceAll('.', '_')}_total`,
};

describe('/metrics', () => {
  const stage = useMonitors(useStore());
  let telemetry: Telemetry;
  before(() => {
    const { OTEL_TRACES_EXPORTER: traces } = process.env;
    process.env['OTEL_TRACES_EXPORTER'] = 'none';
    telemetry = startTelemetry({ service: 'monitor' });
    if (traces === undefined) delete process.env['OTEL_TRACES_EXPORTER'];
    else process.env['OTEL_TRACES_EXPORTER'] = traces;
  });
  after(() => telemetry.shutdown());

  it('tells how many events became records and how far these are behind, without a token', async () => {
    const { url } = await stage().start({ MONITOR_TOKEN: 'a-token-of-enough-characters' });
    const telling = new Telling();
    telling.tell('email', [storyOf('a').enqueued(), storyOf('a').completed(), storyOf('b').dead()]);
    await stage().publish(telling);
    const page = await until(
      async () => String((await ask(url, '/metrics')).body),
      (text) => new RegExp(`^${inPrometheus.events}\\{?.*\\}? 3$`, 'm').test(text) && text.includes(`\n${inPrometheus.lag}`), // prettier-ignore
    );
    const [, lag] = new RegExp(`^${inPrometheus.lag}(?:\\{.*\\})? ([\\d.e-]+)$`, 'm').exec(page) ?? [];
    expect(Number(lag)).to.be.within(0, 10);
  });

  for (const file of ['prometheus-rules.yaml', 'grafana-jobrail.json']) {
    it(`has what ${file} asks of the monitor`, async () => {
      const text = await readFile(new URL(file, compose), 'utf8');
      const asked = text.match(/\bjobrail_monitor_[a-z_]+/g) ?? [];
      expect(asked).to.have.length.at.least(1);
      expect(Object.values(inPrometheus)).to.include.members(asked);
    });
  }
});
