import { expect } from 'chai';
import { OptionError } from '../../../src/base/errors.js';
import { nearest, refuseUnknownOptions, wholeNumber } from '../../../src/base/options.js';

describe('refuseUnknownOptions', () => {
  const known = ['concurrency', 'prefetch', 'timeout'];

  it('accepts known options and none', () => {
    refuseUnknownOptions('queue "email"', { concurrency: 1, timeout: undefined }, known);
    refuseUnknownOptions('queue "email"', {}, known);
  });

  it('names the option and the one that was probably meant', () => {
    expect(() => refuseUnknownOptions('queue "email"', { concurency: 1 }, known)).to.throw(
      OptionError,
      'queue "email" has an unknown option "concurency". Did you mean "concurrency"?',
    );
  });

  it('lists the known options when none is near', () => {
    expect(() => refuseUnknownOptions('queue "email"', { colour: 1 }, known)).to.throw(
      'Known options: concurrency, prefetch, timeout.',
    );
  });
});

describe('wholeNumber', () => {
  it('accepts the bounds and what is between', () => {
    for (const value of [1, 5, 10]) expect(wholeNumber(value, 'x', { min: 1, max: 10 })).to.equal(value);
  });

  for (const value of [0, 11, 1.5, NaN, Infinity, '5', null, undefined]) {
    it(`refuses ${String(value)}, showing it and the bounds`, () => {
      expect(() => wholeNumber(value, 'priority of x', { min: 1, max: 10 })).to.throw(
        OptionError,
        /^priority of x is .+\. Give a whole number from 1 to 10\.$/,
      );
    });
  }
});

describe('nearest', () => {
  it('finds what differs in little, whatever the case', () => {
    expect(nearest('Email.Sent', ['email.send', 'media.resize'])).to.equal('email.send');
    expect(nearest('retries', ['retry', 'timeout'])).to.equal(undefined);
    expect(nearest('tiemout', ['retry', 'timeout'])).to.equal('timeout');
  });

  it('finds nothing in nothing, and nothing far away', () => {
    expect(nearest('x', [])).to.equal(undefined);
    expect(nearest('colour', ['concurrency'])).to.equal(undefined);
  });
});
