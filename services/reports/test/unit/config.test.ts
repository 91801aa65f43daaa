import { expect } from 'chai';
import { readConfig } from '../../src/config.js';

const required = { AMQP_URL: 'amqp://127.0.0.1', STORAGE_URL: 'file:data' };

describe('readConfig', () => {
  it('has a default for all but broker and storage', () => {
    expect(readConfig({ ...required, HEALTH_PORT: ' ' })).to.deep.equal({
      amqpUrl: 'amqp://127.0.0.1',
      prefix: 'jobrail',
      storageUrl: 'file:data',
      concurrency: 2,
      databaseUrl: undefined,
      queriesFolder: undefined,
      statementTimeoutMs: 120_000,
      pdfMaxRows: 20_000,
      pdfFont: undefined,
      pdfFontBold: undefined,
      attachMaxBytes: 5_000_000,
      linkBase: undefined,
      healthPort: undefined,
    });
  });

  const refused: [env: Record<string, string>, message: RegExp][] = [
    [{ AMQP_URL: '' }, /AMQP_URL is not set\. Set it to a URL such as "amqp:/],
    [{ AMQP_URL: 'http://x' }, /AMQP_URL begins with "http:"/],
    [{ STORAGE_URL: '' }, /STORAGE_URL is not set/],
    [
      { REPORTS_PDF_MAX_ROWS: '0' },
      /REPORTS_PDF_MAX_ROWS is "0"\. Set it to a whole number from 1 to 1000000/,
    ],
    [{ REPORTS_CONCURRENCY: 'many' }, /REPORTS_CONCURRENCY is "many"/],
    [{ DATABASE_URL: 'mysql://secret:word@x' }, /DATABASE_URL begins with "mysql:"/],
    [{ DATABASE_URL: 'no url with a secret' }, /DATABASE_URL is no URL/],
    [{ REPORTS_QUERIES: '/queries' }, /REPORTS_QUERIES is set without DATABASE_URL/],
    [{ REPORTS_LINK_BASE: 'ftp://x' }, /REPORTS_LINK_BASE begins with "ftp:"/],
  ];
  for (const [env, message] of refused) {
    it(`refuses ${JSON.stringify(env)}`, () => {
      expect(() => readConfig({ ...required, ...env }))
        .to.throw(message)
        .and.not.to.match(/secret/);
    });
  }
});
