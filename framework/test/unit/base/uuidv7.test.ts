import { expect } from 'chai';
import { uuidv7 } from '../../../src/base/uuidv7.js';

describe('uuidv7', () => {
  it('begins with the time and has version and variant in their places', () => {
    for (const now of [0, 1, 255, 2 ** 32 - 1, 2 ** 32, 1_795_000_000_123, 2 ** 48 - 1]) {
      const id = uuidv7(now);
      expect(id).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).to.equal(now);
    }
  });

  it('makes no two alike, over many draws of random bytes', () => {
    const ids = new Set(Array.from({ length: 20_000 }, () => uuidv7(1_795_000_000_123)));
    expect(ids.size).to.equal(20_000);
  });

  it('uses all of its random bits', () => {
    let ones = 0n;
    let zeros = 0n;
    for (let i = 0; i < 200; i++) {
      const bits = BigInt(`0x${uuidv7(0).replaceAll('-', '')}`);
      ones |= bits;
      zeros |= ~bits;
    }
    const random = (((1n << 12n) - 1n) << 64n) | ((1n << 62n) - 1n);
    expect(ones & random).to.equal(random);
    expect(zeros & random).to.equal(random);
  });
});
