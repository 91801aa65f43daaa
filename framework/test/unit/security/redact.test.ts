import { expect } from 'chai';
import fc from 'fast-check';
import { pino } from 'pino';
import { ContractError } from '../../../src/base/errors.js';
import { redact, redactError } from '../../../src/base/redact.js';

describe('redact', () => {
  const hidden: [text: string, shown: string][] = [
    ['amqp://user:secret@host:5672/vhost', 'amqp://***@host:5672/vhost'],
    ['connect to postgres://app:secret@db/x failed', 'connect to postgres://***@db/x failed'],
    ['https://secrettoken@github.example/x', 'https://***@github.example/x'],
    ['smtp://:secret@host', 'smtp://***@host'],
    ['redis://user:sec@ret@host', 'redis://***@host'],
    ['redis://user:sec/ret@host', 'redis://***@host'],
    ['amqp://user:1234@host', 'amqp://***@host'],
    ["'amqp://user:it's secret@host'", "'amqp://user:it's secret@host'"], // a space is in no URL
    ['{"url":"amqp://u:secret@h"}', '{"url":"amqp://***@h"}'],
    ['amqp://a:secret@one,amqp://b:secret@two', 'amqp://***@two'],
    ['//user:secret@host', '//***@host'],
  ];
  for (const [text, shown] of hidden)
    it(`shows ${text} as ${shown}`, () => expect(redact(text)).to.equal(shown));

  for (const text of [
    'http://localhost:3000/users/ada@example.com',
    'http://[::1]:5672/x',
    'at file:///app/node_modules/@scope/pkg/index.js:10:5',
    'at async file:///app/dist/main.js:1:1',
    'mail ada@example.com or see https://example.com/a',
    'ftp://host/path:with@sign',
    'no URL at all',
    '',
  ]) {
    it(`leaves ${JSON.stringify(text)} alone`, () => expect(redact(text)).to.equal(text));
  }

  it('hides any password of any URL, wherever it stands in a text', () => {
    const part = fc.stringMatching(/^[A-Za-z0-9._~!$&*+=;%-]{1,30}$/);
    const around = fc.string({ maxLength: 30 });
    fc.assert(
      fc.property(part, part, part, around, around, (user, password, host, before, behind) => {
        const secret = `Zq${password}Zq`;
        expect(redact(`${before}amqp://${user}:${secret}@${host}${behind}`)).to.not.include(secret);
      }),
    );
  });

  it('is quick on texts made to be slow, and cuts them', () => {
    for (const bad of ['//', '//:', '//a:', '//a:b', ':@//', '//a:1']) {
      const began = performance.now();
      expect(redact(bad.repeat(1_000_000))).to.have.length.at.most(16_384);
      expect(performance.now() - began, bad).to.be.below(1_000);
    }
  });
});

describe('redactError', () => {
  const serialized = (error: Error) => JSON.stringify(pino.stdSerializers.err(redactError(error)));

  it('keeps class, name, message, stack and code', () => {
    const error = Object.assign(new RangeError('too far'), { code: 'E_FAR' });
    const copy = redactError(error);
    expect(copy).to.be.instanceOf(RangeError);
    expect(copy).to.include({ name: 'RangeError', message: 'too far', code: 'E_FAR', stack: error.stack });
    expect(pino.stdSerializers.err(copy)).to.include({
      type: 'RangeError',
      message: 'too far',
      code: 'E_FAR',
    });
  });

  it('leaves out what else an error carries', () => {
    const error = Object.assign(new Error('failed'), {
      config: { auth: 'secret' },
      request: { body: 'secret' },
      input: 'secret',
    });
    expect(serialized(error)).to.not.include('secret');
  });

  it('treats causes and the errors of an AggregateError alike', () => {
    const url = 'amqp://u:secret@h';
    const cause = new Error(url, { cause: Object.assign(new Error(url), { url }) });
    const errors = [new Error(url), Object.assign(new Error('x'), { url })];
    const error = new AggregateError(errors, url, { cause });
    expect(serialized(error)).to.not.include('secret');
    expect(serialized(error).match(/\*\*\*@h/g)).to.have.length.above(4);
  });

  it('takes out what schemas said, also where errors around repeat it', () => {
    const issues = [{ path: 'card', message: 'was "4711"' }];
    const cause = new ContractError('JR_PAYLOAD_INVALID', 'No fit: card: was "4711".', { issues });
    const error = new Error(`cannot enqueue: ${cause.message}`, { cause });
    expect(serialized(error)).to.not.include('4711');
    expect(redactError(error).message).to.equal('cannot enqueue: No fit: card: ….');
  });

  it('ends where causes go in circles or without end', () => {
    const error = new Error('a');
    error.cause = new Error('b', { cause: error });
    expect(redactError(error).message).to.equal('a');
    let chain = new Error('0');
    for (let i = 1; i < 10_000; i++) chain = new Error(String(i), { cause: chain });
    expect(redactError(chain).message).to.equal('9999');
  });

  it('takes errors that are frozen, or whose fields are no text', () => {
    expect(serialized(Object.freeze(new Error('cold')))).to.include('cold');
    const odd = Object.assign(new Error('x'), { stack: 7, code: { a: 1 }, cause: 'text', errors: 'none' });
    expect(redactError(odd)).to.include({ message: 'x', stack: '' }).and.to.not.have.property('code');
  });
});
