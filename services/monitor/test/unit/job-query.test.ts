import { expect } from 'chai';
import { readJobQuery } from '../../src/search/job-query.js';
import { QueryError } from '../../src/search/query-error.js';

const queryOf = (parameters: Record<string, string | string[]>) => readJobQuery(parameters).query;

describe('a search', () => {
  it('is read from parameters, several of them by commas or repeated', () => {
    expect(queryOf({ state: 'dead, expired', contract: ['a.b', 'c.*'], payload: 'to:a:b' })).to.deep.include({
      states: ['dead', 'expired'],
      contracts: ['a.b', 'c.*'],
      values: [{ path: 'to', value: 'a:b' }],
    });
  });

  it('is read from what a person types', () => {
    const typed = 'to:ada@example.com state:dead  data.name:"Ada \\"L\\" Byron" payload.state:on 0195-abc';
    expect(queryOf({ q: typed })).to.deep.include({
      ids: ['0195-abc'],
      states: ['dead'],
      values: [
        { path: 'to', value: 'ada@example.com' },
        { path: 'data.name', value: 'Ada "L" Byron' },
        { path: 'state', value: 'on' },
      ],
    });
  });

  it('takes moments as dates, in UTC where they name no zone, as numbers, and back from now', () => {
    expect(queryOf({ after: '2026-03-01' }).from).to.equal(Date.UTC(2026, 2, 1));
    expect(queryOf({ after: '2026-03-01T12:30' }).from).to.equal(Date.UTC(2026, 2, 1, 12, 30));
    expect(queryOf({ after: '2026-03-01T12:30:15.5+02:00' }).from).to.equal(
      Date.UTC(2026, 2, 1, 10, 30, 15, 500),
    );
    expect(queryOf({ before: '1795771200123' }).to).to.equal(1795771200123);
    expect(queryOf({ after: '2h' }).from).to.be.closeTo(Date.now() - 7_200_000, 60_000);
  });

  const refused: [parameters: Record<string, string | string[]>, text: RegExp][] = [
    [{ colour: 'red' }, /"colour" is not known; there are id, contract/],
    [{ state: 'broken' }, /"state" is "broken"; there are scheduled, pending/],
    [{ payload: 'ada' }, /"payload" is "ada"; it takes a path and a value/],
    [{ payload: ':ada' }, /takes a path and a value/],
    [{ after: 'yesterday' }, /"after" is "yesterday"; it takes/],
    [{ after: '2026-13-45' }, /"after" is "2026-13-45"/],
    [{ limit: '0' }, /"limit" is "0"; it takes a number from 1 to 200/],
    [{ limit: '1e3' }, /"limit"/],
    [{ cursor: ['a', 'b'] }, /"cursor" is there twice/],
    [{ id: '' }, /"id" has 0 characters/],
    [{ id: 'x'.repeat(513) }, /"id" has 513 characters/],
    [{ id: 'a\0b' }, /which no job can have/],
    [{ id: '\ud800' }, /which no job can have/],
    [{ q: 'to:"open' }, /"q" cannot be read from/],
    [{ q: 'a'.repeat(2_001) }, /"q" has 2001 characters/],
    [{ payload: Array.from({ length: 9 }, (_, i) => `n:${i}`) }, /9 conditions; 8 are possible/],
    [{ id: Array.from({ length: 51 }, (_, i) => `${i}`) }, /more than 50 alternatives/],
  ];
  for (const [parameters, text] of refused) {
    it(`refuses ${JSON.stringify(parameters).slice(0, 60)}`, () => {
      expect(() => readJobQuery(parameters)).to.throw(QueryError, text);
    });
  }

  it('is read in no time, whatever is typed', () => {
    for (const text of [
      '"'.repeat(2_000),
      'a:'.repeat(1_000),
      ' '.repeat(2_000),
      '\\"'.repeat(1_000),
      `"${'\\'.repeat(1_998)}`,
    ]) {
      const began = performance.now();
      try {
        readJobQuery({ q: text });
      } catch (error) {
        expect(error).to.be.instanceOf(QueryError);
      }
      expect(performance.now() - began).to.be.lessThan(1_000);
    }
  });
});
