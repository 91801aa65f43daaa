import { expect } from 'chai';
import { topicMatches } from '../../../src/model/topic.js';

describe('topicMatches', () => {
  const cases: [pattern: string, key: string, matches: boolean][] = [
    ['order.paid', 'order.paid', true],
    ['order.paid', 'order.paid.eu', false],
    ['order.*', 'order.paid', true],
    ['order.*', 'order', false],
    ['order.*', 'order.', true],
    ['order.*.paid', 'order.eu.paid', true],
    ['order.#', 'order', true],
    ['order.#', 'order.eu.paid', true],
    ['#.paid', 'unpaid', false],
    ['a.#.z', 'a.z', true],
    ['a.#.z', 'a.b.c.z', true],
    ['a.#.z', 'a.z.b', false],
    ['*', '', false],
    ['#', '', true],
    ['', '', true],
    ['', 'a', false],
    ['*.#', '', false],
    ['#.#', 'a.b', true],
  ];
  for (const [pattern, key, matches] of cases) {
    it(`${pattern || '(empty)'} ${matches ? 'takes' : 'leaves'} ${key || '(empty)'}`, () => {
      expect(topicMatches(pattern, key)).to.equal(matches);
    });
  }
});
