import { expect } from 'chai';
import {
  BrokerError,
  ConfigError,
  ContractError,
  describe as show,
  errorCodes,
  JobrailError,
  OptionError,
  PublishError,
  toError,
  TopologyError,
} from '../../../src/base/errors.js';

describe('JobrailError', () => {
  it('says what was seen and what to do, and keeps the cause', () => {
    const cause = new Error('ECONNREFUSED');
    const error = new BrokerError('JR_BROKER_UNREACHABLE', 'No broker answered.', {
      mend: 'Start one.',
      cause,
    });
    expect(error).to.be.instanceOf(JobrailError).and.instanceOf(Error);
    expect(error).to.include({
      name: 'BrokerError',
      code: 'JR_BROKER_UNREACHABLE',
      message: 'No broker answered. Start one.',
      mend: 'Start one.',
      cause,
    });
  });

  it('does without mend and cause', () => {
    const error = new TopologyError('JR_TOPOLOGY_CONFLICT', 'It differs.');
    expect(error.message).to.equal('It differs.');
    expect(error.mend).to.equal(undefined);
    expect('cause' in error).to.equal(false);
  });

  it('carries what the kind of error adds', () => {
    expect(new OptionError('x')).to.include({ code: 'JR_OPTION_INVALID', name: 'OptionError' });
    expect(new ConfigError('JR_CONFIG_INVALID', 'x').name).to.equal('ConfigError');
    expect(new PublishError('JR_PUBLISH_TIMEOUT', 'x', { maybeAccepted: true }).maybeAccepted).to.equal(true);
    const issues = [{ path: 'to', message: 'is no address' }];
    expect(new ContractError('JR_PAYLOAD_INVALID', 'x', { issues }).issues).to.deep.equal(issues);
    expect(new ContractError('JR_PAYLOAD_INVALID', 'x').issues).to.deep.equal([]);
  });

  it('has a sentence for each code, and codes that read alike', () => {
    for (const [code, meaning] of Object.entries(errorCodes)) {
      expect(code).to.match(/^JR_[A-Z]+(_[A-Z]+)*$/);
      expect(meaning).to.match(/^[A-Z].+\.$/);
    }
  });
});

describe('toError', () => {
  it('gives an error as it is, and makes one of anything else', () => {
    const error = new TypeError('x');
    expect(toError(error)).to.equal(error);
    expect(toError('a text').message).to.equal('a text');
    expect(toError({ a: 1 }).message).to.equal('a non-error was thrown: {"a":1}');
    const odd = Object.assign(new Error(), { message: { code: 5 } as unknown as string });
    expect(toError(odd)).to.include({ message: '"Error": {"code":5}', cause: odd });
    expect(toError(undefined).message).to.equal('a non-error was thrown: undefined');
  });
});

describe('describe', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const shown: [unknown, string][] = [
    ['text', '"text"'],
    [5, '5'],
    [null, 'null'],
    [undefined, 'undefined'],
    [10n, '10'],
    [Symbol('s'), 'Symbol(s)'],
    [function named() {}, 'function named'],
    [() => undefined, 'function (anonymous)'],
    [circle, '[object Object]'],
    [{ a: [1] }, '{"a":[1]}'],
  ];
  for (const [value, text] of shown) it(`shows ${text}`, () => expect(show(value)).to.equal(text));

  it('cuts what is long', () => {
    expect(show('x'.repeat(200)))
      .to.have.length(80)
      .and.match(/\.\.\.$/);
  });
});
