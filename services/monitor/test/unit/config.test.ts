import { expect } from 'chai';
import { ConfigError } from 'jobrail';
import { defaultRules } from '../../src/alerts/alert-rules.js';
import { isLoopback, readConfig } from '../../src/config.js';

const given = (environment: Record<string, string> = {}) =>
  readConfig({ AMQP_URL: 'amqp://broker', ...environment });
const day = 86_400_000;

describe('the configuration', () => {
  it('has a default for all but the broker', () => {
    expect(given()).to.deep.include({
      ...{ prefix: 'jobrail', storeUrl: 'sqlite:jobrail-monitor.sqlite', host: '127.0.0.1', port: 8090 },
      ...{ token: undefined, logLevel: 'info' },
    });
    expect(given({ PORT: ' ', ALERT_RULES: '' }).alerts.rules).to.deep.equal(defaultRules);
    expect(given().retention.pending).to.equal(undefined);
    expect(given().retention.dead).to.deep.equal({ ageMs: 180 * day, jobs: 1_000_000 });
    expect(isLoopback(given().host)).to.equal(true);
  });

  it('reads retention by age, number or both', () => {
    const { retention } = given({ RETENTION: 'completed = 12h, 5000; dead=90d; expired=10' });
    expect(retention.completed).to.deep.equal({ ageMs: day / 2, jobs: 5_000 });
    expect(retention.dead).to.deep.equal({ ageMs: 90 * day, jobs: Number.MAX_SAFE_INTEGER });
    expect(retention.expired).to.deep.equal({ ageMs: Number.MAX_SAFE_INTEGER, jobs: 10 });
    expect(retention.cancelled).to.deep.equal({ ageMs: 30 * day, jobs: 1_000_000 });
  });

  it('reads the rules of alerts', () => {
    const rules =
      '[{"rule":"oldest-age","above":"2h","queue":"email"},{"rule":"failure-rate","above":0.1,"within":"1m"}]';
    expect(given({ ALERT_RULES: rules }).alerts.rules).to.deep.equal([
      { rule: 'oldest-age', aboveMs: 7_200_000, queue: 'email' },
      { rule: 'failure-rate', above: 0.1, atLeast: 20, withinMs: 60_000 },
    ]);
  });

  const refused: [environment: Record<string, string>, text: RegExp][] = [
    [{ AMQP_URL: '' }, /AMQP_URL is not set/],
    [{ PORT: '99999' }, /PORT is "99999"/],
    [{ MONITOR_TOKEN: 'short' }, /MONITOR_TOKEN is too short/],
    [{ RETENTION: 'pending=1d' }, /RETENTION has "pending=1d"/],
    [{ RETENTION: 'dead=soon' }, /RETENTION has "dead=soon"/],
    [{ ALERT_RULES: 'often' }, /ALERT_RULES cannot be read/],
    [{ ALERT_RULES: '[{"rule":"depth"}]' }, /ALERT_RULES at 0.above/],
    [{ ALERT_RULES: '[{"rule":"depth","above":1,"colour":"red"}]' }, /ALERT_RULES at 0/],
    [{ ALERT_RULES_FILE: '/no/such/file' }, /ALERT_RULES_FILE cannot be read/],
    [{ ALERT_WEBHOOK_URL: 'file:///etc/passwd' }, /ALERT_WEBHOOK_URL is no http/],
    [{ ALERT_EMAIL: 'ops' }, /ALERT_EMAIL has "ops"/],
    [{ ALERT_REPEAT: 'never' }, /ALERT_REPEAT is "never"/],
    [{ LOG_LEVEL: 'loud' }, /LOG_LEVEL is "loud"/],
  ];
  for (const [environment, text] of refused) {
    it(`refuses ${JSON.stringify(environment)}, and says what it takes`, () => {
      expect(() => given(environment))
        .to.throw(ConfigError, text)
        .and.match(/Set it to/);
    });
  }
});
