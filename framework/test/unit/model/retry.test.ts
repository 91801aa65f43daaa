import { expect } from 'chai';
import fc from 'fast-check';
import { OptionError } from '../../../src/base/errors.js';
import { backoff, defaultRetry, exponential, fixed, noRetry } from '../../../src/model/retry.js';

const error = new Error('x');
const low = () => 0;
const high = () => 1 - Number.EPSILON;

describe('exponential', () => {
  it('doubles from the first bound to the last', () => {
    const policy = exponential({ attempts: 6, from: '1s', to: '10s', jitter: 'none' });
    expect([1, 2, 3, 4, 5].map((attempt) => policy.delayMs(attempt, error, low))).to.deep.equal([
      1_000, 2_000, 4_000, 8_000, 10_000,
    ]);
  });

  it('grows by its factor', () => {
    const policy = exponential({ from: 100, to: '1h', factor: 3, jitter: 'none' });
    expect([1, 2, 3].map((attempt) => policy.delayMs(attempt, error, low))).to.deep.equal([100, 300, 900]);
  });

  it('draws each wait evenly between 0 and the bound', () => {
    const policy = exponential({ from: '1s', to: '1h' });
    expect(policy.delayMs(3, error, low)).to.equal(0);
    expect(policy.delayMs(3, error, () => 0.5)).to.equal(2_000);
    expect(policy.delayMs(3, error, high)).to.equal(4_000);
  });

  it('gives a whole wait within its bounds for every attempt, however many', () => {
    const options = fc.record({
      from: fc.nat(10_000),
      more: fc.nat(10_000_000),
      factor: fc.double({ min: 1, max: 100, noNaN: true }),
    });
    fc.assert(
      fc.property(
        options,
        fc.integer({ min: 1, max: 1_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        ({ from, more, factor }, attempt, dice) => {
          const policy = exponential({ attempts: 1_000, from, to: from + more, factor });
          const waitMs = policy.delayMs(attempt, error, () => dice);
          expect(waitMs)
            .to.satisfy(Number.isInteger)
            .and.to.be.within(0, from + more);
        },
      ),
      { examples: [[{ from: 0, more: 1_000, factor: 100 }, 1_000, 0.5]] },
    );
  });

  it('has ten attempts up to an hour apart by default', () => {
    expect(defaultRetry.attempts).to.equal(10);
    expect(defaultRetry.delayMs(1, error, high)).to.equal(1_000);
    expect(exponential({ attempts: 100 }).delayMs(99, error, high)).to.equal(3_600_000);
  });

  const refused: [object, RegExp][] = [
    [{ attempts: 0 }, /attempts of exponential\(\) is 0/],
    [{ attempts: 1.5 }, /whole number from 1 to 1000/],
    [{ attempts: 1_001 }, /1001/],
    [{ factor: 0.5 }, /factor of exponential\(\) is 0.5/],
    [{ factor: NaN }, /factor/],
    [{ from: '1m', to: '1s' }, /from 60000 ms to 1000 ms/],
    [{ from: 'soon' }, /from of exponential\(\) is "soon"/],
    [{ atempts: 3 }, /Did you mean "attempts"/],
  ];
  for (const [options, message] of refused) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      expect(() => exponential(options)).to.throw(OptionError, message);
    });
  }
});

describe('fixed', () => {
  it('waits the same each time', () => {
    const policy = fixed({ attempts: 4, every: '30s' });
    expect(policy.attempts).to.equal(4);
    expect([1, 2, 3].map((attempt) => policy.delayMs(attempt, error, low))).to.deep.equal([
      30_000, 30_000, 30_000,
    ]);
  });

  it('has five attempts ten seconds apart by default', () => {
    expect(fixed()).to.include({ attempts: 5 });
    expect(fixed().delayMs(1, error, low)).to.equal(10_000);
  });

  it('refuses what cannot be', () => {
    expect(() => fixed({ every: '-1s' as '1s' })).to.throw(OptionError, /every of fixed\(\)/);
    expect(() => fixed({ attempts: 0 })).to.throw(OptionError, /attempts of fixed\(\)/);
    expect(() => fixed({ evry: 1 } as object)).to.throw(OptionError, /Did you mean "every"/);
  });
});

describe('backoff', () => {
  it('asks the function, telling it attempt and error', () => {
    const seen: unknown[] = [];
    const policy = backoff({
      attempts: 3,
      delay: (...given) => {
        seen.push(given);
        return '2s';
      },
    });
    expect(policy.delayMs(2, error, low)).to.equal(2_000);
    expect(seen).to.deep.equal([[2, error]]);
  });

  it('refuses what the function gives if it is no duration', () => {
    const policy = backoff({ attempts: 3, delay: () => NaN });
    expect(() => policy.delayMs(1, error, low)).to.throw(
      OptionError,
      /the wait that delay\(\) of backoff\(\) gave is/,
    );
  });

  it('refuses anything but a function', () => {
    expect(() => backoff({ attempts: 3, delay: '5s' as never })).to.throw(OptionError, /is not a function/);
  });
});

describe('policies in words', () => {
  it('say how many attempts they give', () => {
    for (const policy of [
      exponential({ attempts: 7 }),
      fixed({ attempts: 7 }),
      backoff({ attempts: 7, delay: () => 1 }),
    ]) {
      expect(policy.summary).to.match(/^7 attempts/);
    }
    expect(noRetry).to.include({ attempts: 1, summary: 'no retry' });
  });
});
