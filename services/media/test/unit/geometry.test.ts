import { expect } from 'chai';
import { masterSize, scaleOf, sizeOf } from '../../src/image/geometry.js';
import type { ImageVariant } from '../../src/jobs.js';

const photo = { width: 1800, height: 1200 };
const asked = (box: Partial<ImageVariant>): ImageVariant => ({ name: 'v', format: 'webp', ...box });

describe('the size of a variant', () => {
  const cases: [string, Partial<ImageVariant>, { width: number; height: number }][] = [
    ['keeps the size of the source when none is asked for', {}, photo],
    ['follows a width by proportion', { width: 900 }, { width: 900, height: 600 }],
    ['follows a height by proportion', { height: 300 }, { width: 450, height: 300 }],
    ['rounds to whole pixels', { width: 100 }, { width: 100, height: 67 }],
    ['never has a side of nothing', { width: 1 }, { width: 1, height: 1 }],
    ['is not enlarged by a width alone', { width: 4000 }, photo],
    ['is the box for cover', { width: 200, height: 200, fit: 'cover' }, { width: 200, height: 200 }],
    ['is the box for no fit, which means cover', { width: 4000, height: 10 }, { width: 4000, height: 10 }],
    ['is the box for contain', { width: 200, height: 900, fit: 'contain' }, { width: 200, height: 900 }],
    [
      'stays within the box for inside',
      { width: 600, height: 600, fit: 'inside' },
      { width: 600, height: 400 },
    ],
    ['is not enlarged for inside', { width: 9000, height: 9000, fit: 'inside' }, photo],
  ];
  for (const [behaviour, box, size] of cases) {
    it(behaviour, () => expect(sizeOf(asked(box), photo)).to.deep.equal(size));
  }
});

describe('the master that variants are made of', () => {
  it('is as large as the largest variant needs it', () => {
    expect(masterSize([asked({ width: 90 }), asked({ width: 450 })], photo)).to.deep.equal({
      width: 450,
      height: 300,
    });
  });

  it('reckons with what a crop cuts off', () => {
    const square = asked({ width: 300, height: 300, fit: 'cover' });
    expect(scaleOf(square, photo)).to.equal(0.25);
    expect(masterSize([square], photo)).to.deep.equal({ width: 450, height: 300 });
  });

  it('is never larger than the source', () => {
    expect(masterSize([asked({ width: 5000, height: 5000 })], photo)).to.deep.equal(photo);
  });
});
