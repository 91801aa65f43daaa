import { expect } from 'chai';
import fc from 'fast-check';
import { type Duration, durationMs, showMs } from '../../../src/base/duration.js';
import { OptionError } from '../../../src/base/errors.js';

describe('durationMs', () => {
  const meanings: [Duration, number][] = [
    [0, 0],
    [1_500, 1_500],
    ['0s', 0],
    ['250ms', 250],
    ['1.5s', 1_500],
    ['30s', 30_000],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
    ['0.5ms', 1],
  ];
  for (const [given, ms] of meanings) {
    it(`takes ${JSON.stringify(given)} for ${ms} ms`, () => {
      expect(durationMs(given, 'x')).to.equal(ms);
    });
  }

  it('gives a whole number of milliseconds', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), (ms) => {
        expect(Number.isInteger(durationMs(ms, 'x'))).to.equal(true);
      }),
    );
  });

  it('reads back each number of each unit', () => {
    const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
    fc.assert(
      fc.property(
        fc.nat(10_000),
        fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[])),
        (n, unit) => {
          expect(durationMs(`${n}${unit}`, 'x')).to.equal(n * units[unit]);
        },
      ),
    );
  });

  const refused = [
    -1,
    NaN,
    Infinity,
    '',
    '10',
    '10 s',
    '-5s',
    '1h30m',
    '5S',
    '1e3ms',
    '5 minutes',
    null,
    undefined,
    {},
  ];
  for (const given of refused) {
    it(`refuses ${typeof given === 'number' ? given : JSON.stringify(given)}, naming the option`, () => {
      expect(() => durationMs(given as Duration, 'delay of job "x"'))
        .to.throw(OptionError, /^delay of job "x" is /)
        .with.property('code', 'JR_OPTION_INVALID');
    });
  }
});

describe('showMs', () => {
  const shown: [number, string][] = [
    [0, '0 ms'],
    [850, '850 ms'],
    [12_500, '12.5 s'],
    [180_000, '3.0 min'],
    [7_200_000, '2.0 h'],
    [604_800_000, '7.0 d'],
  ];
  for (const [ms, text] of shown) it(`shows ${ms} as ${text}`, () => expect(showMs(ms)).to.equal(text));
});
