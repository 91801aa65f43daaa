import { expect } from 'chai';
import fc from 'fast-check';
import { numberAxis, timeAxis } from '../../src/output/pdf/axis.js';

const labels = ({ ticks }: { ticks: { label: string }[] }): string[] => ticks.map(({ label }) => label);

describe('numberAxis', () => {
  it('has round values', () => {
    expect(labels(numberAxis(0, 100))).to.deep.equal(['0', '20', '40', '60', '80', '100']);
    expect(labels(numberAxis(-1.6, 35.6))).to.deep.equal(['-10', '0', '10', '20', '30', '40']);
    expect(labels(numberAxis(0, 0.3))).to.deep.equal(['0', '0.1', '0.2', '0.3']);
    expect(labels(numberAxis(0, 1.2))).to.deep.equal(['0', '0.25', '0.5', '0.75', '1', '1.25']);
    expect(labels(numberAxis(0, 7_700_000))).to.deep.equal(['0', '2M', '4M', '6M', '8M']);
  });

  it('copes with a single value, with zero and with the largest and smallest', () => {
    for (const [low, high] of [
      [0, 0],
      [5, 5],
      [-3, -3],
      [0, 1e300],
      [1e-12, 2e-12],
    ] as const) {
      const axis = numberAxis(low, high);
      expect(axis.min).to.be.at.most(low);
      expect(axis.max)
        .to.be.at.least(high * (1 - 1e-9))
        .and.to.be.greaterThan(axis.min);
    }
  });

  it('covers any values with a handful of ticks', () => {
    const value = fc.double({ min: -1e9, max: 1e9, noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(value, value, (one, other) => {
        const [low, high] = one < other ? [one, other] : [other, one];
        const { min, max, ticks } = numberAxis(low, high);
        const slack = Math.max(Math.abs(high - low) * 1e-6, 1e-280);
        expect(min).to.be.at.most(low + slack);
        expect(max).to.be.at.least(high - slack);
        expect(ticks.length).to.be.within(2, 8);
      }),
    );
  });
});

describe('timeAxis', () => {
  const axis = (from: string, to: string): string[] => labels(timeAxis(Date.parse(from), Date.parse(to)));

  it('has ticks at round moments, months and years', () => {
    expect(axis('2012-01-01', '2015-12-31')).to.deep.equal([
      'Jan 2012', 'Jul 2012', 'Jan 2013', 'Jul 2013', 'Jan 2014', 'Jul 2014', 'Jan 2015', 'Jul 2015',
    ]); // prettier-ignore
    expect(axis('1900-01-01', '2000-01-01')).to.deep.equal(['1900', '1920', '1940', '1960', '1980', '2000']);
    expect(axis('2024-03-01T09:10Z', '2024-03-01T12:00Z')).to.deep.equal(
      ['09:30', '10:00', '10:30', '11:00', '11:30', '12:00'].map((time) => `1 Mar, ${time}`),
    );
    expect(axis('2024-03-01', '2024-03-05')).to.deep.equal([1, 2, 3, 4, 5].map((day) => `${day} Mar 2024`));
  });

  it('copes with a single moment and with all of history', () => {
    expect(axis('2024-01-01', '2024-01-01')).not.to.have.length(0);
    expect(axis('0001-01-01', '9999-12-31')).not.to.have.length(0);
  });
});
