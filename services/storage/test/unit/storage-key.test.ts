import { expect } from 'chai';
import { checkKey, longestKey, StorageError } from '../../src/index.js';
import { hostileKeys } from '../hostile-keys.js';

describe('checkKey', () => {
  for (const key of [
    'a',
    'a/b/c.ext',
    'a..b/c...d',
    'Ünïcode/写真.jpg',
    'with space/and+plus',
    'C:/not/a/drive/here',
    `${'a'.repeat(255)}/${'b'.repeat(255)}`.slice(0, longestKey),
  ]) {
    it(`takes ${key.slice(0, 30)}`, () => {
      expect(checkKey(key)).to.equal(key);
    });
  }

  for (const { name, key } of hostileKeys) {
    it(`refuses a key ${name}`, () => {
      expect(() => checkKey(key))
        .to.throw(StorageError)
        .with.property('code', 'STORAGE_KEY_INVALID');
    });
  }

  it('shows a hostile key escaped and short, and says what to do', () => {
    expect(() => checkKey('a\u001b[2J'.padEnd(500, 'x'))).to.throw(
      /^"a\\u001b\[2Jx{60,70}\.\.\. is no storage key: it has a control character\. Use segments joined by/,
    );
  });
});
