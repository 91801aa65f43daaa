import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { readConfig } from '../../src/config.js';

const complete = {
  AMQP_URL: 'amqp://guest:guest@127.0.0.1:5672',
  SMTP_URL: 'smtp://robot:secret@mail.acme.example:587',
  MAIL_FROM: 'Acme <no-reply@acme.example>',
  STORAGE_URL: 'file:///var/lib/jobrail/files',
};

describe('readConfig', () => {
  it('reads what it is given, and has a default for the rest', () => {
    const { templatesDirectory, ...config } = readConfig(complete);
    expect(config).to.deep.equal({
      amqpUrl: complete.AMQP_URL,
      prefix: 'jobrail',
      smtpUrl: complete.SMTP_URL,
      from: { name: 'Acme', address: 'no-reply@acme.example' },
      product: 'Acme',
      storageUrl: complete.STORAGE_URL,
      concurrency: 20,
      healthPort: undefined,
    });
    expect(templatesDirectory).to.match(/services\/email\/templates$/);
  });

  it('calls the product by its domain when MAIL_FROM has no name', () => {
    expect(readConfig({ ...complete, MAIL_FROM: 'no-reply@acme.example' }).product).to.equal('acme.example');
  });

  it('takes the optional ones', () => {
    const config = readConfig({
      ...complete,
      JOBRAIL_PREFIX: 'staging',
      EMAIL_CONCURRENCY: '3',
      HEALTH_PORT: '8081',
      TEMPLATES_DIR: '/srv/mails',
    });
    expect(config).to.include({
      prefix: 'staging',
      concurrency: 3,
      healthPort: 8081,
      templatesDirectory: '/srv/mails',
    });
  });

  for (const name of Object.keys(complete)) {
    for (const value of [undefined, ' ']) {
      it(`names ${name} when it is ${value === undefined ? 'missing' : 'blank'}`, () => {
        expect(() => readConfig({ ...complete, [name]: value }))
          .to.throw(`Environment variable ${name} is not set. Set it to `)
          .with.property('code', 'JR_CONFIG_INVALID');
      });
    }
  }

  const wrong: [name: string, value: string, message: string][] = [
    ['SMTP_URL', 'http://mail', 'SMTP_URL begins with "http:"'],
    ['SMTP_URL', 'mail.acme.example', 'SMTP_URL is no URL'],
    ['SMTP_URL', 'smtp://', 'SMTP_URL names no host'],
    ['AMQP_URL', 'localhost:5672', 'AMQP_URL begins with "localhost:"'],
    ['MAIL_FROM', 'Acme', 'MAIL_FROM is "Acme". Set it to one mail address'],
    ['MAIL_FROM', 'a@acme.example, b@acme.example', 'MAIL_FROM is "a@acme.example, b@acme.example"'],
    ['MAIL_FROM', 'Acme <no-reply@acme>', 'MAIL_FROM is'],
    ['EMAIL_CONCURRENCY', '0', 'EMAIL_CONCURRENCY is "0". Set it to a whole number from 1 to 200'],
    ['EMAIL_CONCURRENCY', 'many', 'EMAIL_CONCURRENCY is "many"'],
    ['HEALTH_PORT', '70000', 'HEALTH_PORT is "70000"'],
  ];
  for (const [name, value, message] of wrong) {
    it(`refuses ${name}=${value}`, () => {
      expect(() => readConfig({ ...complete, [name]: value })).to.throw(message);
    });
  }

  it('reads no variable that the README does not explain', () => {
    const asked: string[] = [];
    readConfig(
      new Proxy(complete, {
        get(variables, name) {
          asked.push(String(name));
          return Reflect.get(variables, name) as unknown;
        },
      }),
    );
    const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
    expect(asked).to.have.length(8);
    for (const name of asked) expect(readme).to.include(`| \`${name}\``);
  });

  it('never shows a password', () => {
    const message = messageOf(() => readConfig({ ...complete, SMTP_URL: 'smtpx://robot:secret@mail' }));
    expect(message).to.include('SMTP_URL').and.not.to.include('secret');
  });
});

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('Nothing was thrown.');
}
