import { expect } from 'chai';
import { ConfigError } from 'jobrail';
import { readConfig } from '../../src/config.js';

const least = { AMQP_URL: 'amqp://127.0.0.1', STORAGE_URL: 'file:///tmp/x' };

describe('readConfig', () => {
  it('needs only the broker and the storage', () => {
    expect(readConfig(least)).to.deep.equal({
      amqpUrl: 'amqp://127.0.0.1',
      prefix: 'jobrail',
      storageUrl: 'file:///tmp/x',
      host: '0.0.0.0',
      port: 3_000,
      uploadLimitBytes: 10_485_760,
      publishTimeout: 5_000,
      gracePeriodMs: 25_000,
      loginUrl: 'http://localhost:3000/login',
      logLevel: 'info',
    });
  });

  it('reads sizes and times with their units', () => {
    const config = readConfig({
      ...least,
      UPLOAD_LIMIT: '512KB',
      PUBLISH_TIMEOUT: '250ms',
      GRACE_PERIOD: '1m',
    });
    expect(config).to.include({ uploadLimitBytes: 524_288, publishTimeout: 250, gracePeriodMs: 60_000 });
    expect(readConfig({ ...least, UPLOAD_LIMIT: '1000' }).uploadLimitBytes).to.equal(1_000);
  });

  it('takes a blank variable as not set', () => {
    expect(readConfig({ ...least, PORT: ' ' }).port).to.equal(3_000);
  });

  for (const [name, value] of [
    ['AMQP_URL', ''],
    ['AMQP_URL', 'http://host'],
    ['STORAGE_URL', undefined],
    ['PORT', '70000'],
    ['PORT', '80a'],
    ['UPLOAD_LIMIT', '10 megabytes'],
    ['UPLOAD_LIMIT', '0'],
    ['PUBLISH_TIMEOUT', '5'],
    ['GRACE_PERIOD', '2h'],
    ['LOGIN_URL', 'javascript:alert(1)'],
    ['LOG_LEVEL', 'loud'],
  ] as const) {
    it(`refuses ${name}=${value}, naming it`, () => {
      const env = { ...least, [name]: value };
      expect(() => readConfig(env)).to.throw(ConfigError, new RegExp(`variable ${name} is .*Set it to`));
    });
  }

  it('shows no password', () => {
    expect(() => readConfig({ ...least, AMQP_URL: 'http://user:secret@host' })).to.throw(
      ConfigError,
      /^(?!.*secret)/,
    );
  });
});
