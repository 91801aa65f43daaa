import { expect } from 'chai';
import type { Database } from 'jobrail/store';
import { Kinds } from '../../src/projection/kinds.js';
import { Lease } from '../../src/projection/lease.js';
import { Projection } from '../../src/projection/projection.js';
import { segmentSize } from '../../src/projection/segments.js';
import { JobSearch } from '../../src/search/job-search.js';
import { readJobQuery } from '../../src/search/job-query.js';
import { QueryError } from '../../src/search/query-error.js';
import { openRecords } from '../../src/store/open-records.js';
import { onEachStore } from '../store-corner.js';
import { asRead, noon, storyOf, Telling } from '../told.js';

const jobs = 60;
const traceOf = (i: number) => i.toString(16).padStart(32, '0');

describe('search', () => {
  onEachStore((store) => {
    let database: Database;
    let search: JobSearch;

    beforeEach(async () => {
      database = await store.open();
      await openRecords(database, 'test');
      const lease = new Lease(database);
      await lease.take();
      const kinds = new Kinds();
      const telling = new Telling();
      // Two segments apart, so that pages go over their borders.
      await database.query(`UPDATE monitor_projection SET next_seq = $1`, [segmentSize - jobs / 2]);
      for (let i = 0; i < jobs; i++) {
        const queue = ['email', 'media'][i % 2]!;
        const contract = ['email.send', 'media.resize', 'email.digest', 'media.video'][i % 4]!;
        const story = storyOf(`job-${i}`, { contract, queue, at: noon + i * 60_000 });
        const payload = {
          to: `user-${i % 6}@example.com`,
          n: i,
          urgent: i % 3 === 0,
          items: [{ sku: `sku-${i}` }, { sku: 'common' }],
          'odd key': `with "quotes" and \\ in ${i}`,
        };
        telling.tell('api', [
          story.enqueued({
            payload,
            traceId: traceOf(i),
            ...(i > 0 && i < 5 && { rootId: 'job-0', causationId: 'job-0' }),
          }),
        ]);
        if (i % 5 === 0) {
          telling.tell(queue, [
            story.dead({ error: { name: 'E', message: 'm', fingerprint: `fingerprint${i % 2}` } }),
          ]);
        } else if (i % 5 < 4) telling.tell(queue, [story.completed()]);
      }
      await new Projection(database, lease, kinds).apply(telling.messages.map(asRead));
      search = new JobSearch(database, kinds);
    });

    const found = async (parameters: Record<string, string | string[]>, limit = 200) => {
      const { query, page } = readJobQuery(parameters);
      const { jobs: page1, total } = await search.find(query, { ...page, limit });
      const numbers = page1.map(({ id }) => Number(id.slice('job-'.length)));
      expect(numbers, 'the newest first').to.deep.equal([...numbers].sort((a, b) => b - a));
      if (total !== undefined) expect(total).to.equal(numbers.length);
      return numbers;
    };
    const expected = (fits: (i: number) => boolean) =>
      Array.from({ length: jobs }, (_, i) => jobs - 1 - i).filter(fits);

    const cases: [
      what: string,
      parameters: Record<string, string | string[]>,
      fits: (i: number) => boolean,
    ][] = [
      ['everything', {}, () => true],
      ['an id', { id: 'job-7' }, (i) => i === 7],
      ['ids', { id: ['job-7', 'job-9'], queue: 'email' }, () => false],
      ['an id of a queue', { id: 'job-8,job-9', queue: 'email' }, (i) => i === 8],
      ['a contract', { contract: 'email.send' }, (i) => i % 4 === 0],
      ['contracts by their beginning', { contract: 'email.*' }, (i) => i % 2 === 0],
      ['a queue', { queue: 'media' }, (i) => i % 2 === 1],
      ['a state', { state: 'dead' }, (i) => i % 5 === 0],
      ['states', { state: ['dead', 'pending'] }, (i) => i % 5 === 0 || i % 5 === 4],
      ['a service', { service: 'media' }, (i) => i % 2 === 1 && i % 5 < 4],
      ['state and contract', { state: 'dead', contract: 'media.resize' }, (i) => i % 5 === 0 && i % 4 === 1],
      ['a fingerprint', { fingerprint: 'fingerprint1' }, (i) => i % 5 === 0 && i % 2 === 1],
      ['a fingerprint of a queue', { fingerprint: 'fingerprint1', queue: 'email' }, () => false],
      ['a value of the payload', { payload: 'to:user-3@example.com' }, (i) => i % 6 === 3],
      ['a value in another case', { payload: 'to:USER-3@Example.com' }, (i) => i % 6 === 3],
      ['a number', { payload: 'n:17' }, (i) => i === 17],
      ['a boolean and a text', { payload: ['urgent:true', 'to:user-0@example.com'] }, (i) => i % 6 === 0],
      ['a value in a list', { payload: 'items.sku:sku-12' }, (i) => i === 12],
      ['a value that all have', { payload: 'items.sku:common', state: 'dead' }, (i) => i % 5 === 0],
      ['values that none have together', { payload: ['n:1', 'n:2'] }, () => false],
      ['a value that none has', { payload: 'to:nobody' }, () => false],
      ['a trace', { trace: traceOf(33) }, (i) => i === 33],
      ['what came of a job', { root: 'job-0' }, (i) => i > 0 && i < 5],
      ['a time', { after: '2026-03-02T12:10Z', before: '2026-03-02T12:20Z' }, (i) => i >= 10 && i < 20],
      ['a time and a state', { after: String(noon + 600_000), state: 'dead' }, (i) => i >= 10 && i % 5 === 0],
      [
        'a time and a value',
        { before: '2026-03-02T12:10', payload: 'to:user-3@example.com' },
        (i) => i < 10 && i % 6 === 3,
      ],
      ['a time before all', { before: '2025-01-01' }, () => false],
      ['what a person types', { q: 'to:user-3@example.com state:dead' }, (i) => i % 6 === 3 && i % 5 === 0],
      ['an id that a person types', { q: 'job-21' }, (i) => i === 21],
      ['quotes', { q: '"odd key":"with \\"quotes\\" and \\\\ in 3"' }, () => false],
    ];
    for (const [what, parameters, fits] of cases) {
      if (what === 'quotes') continue;
      it(`finds ${what}`, async () => {
        expect(await found(parameters)).to.deep.equal(expected(fits));
      });
    }

    it('finds a field and a value with blanks, quotes and backslashes', async () => {
      expect(await found({ payload: 'odd key:with "quotes" and \\ in 3' })).to.deep.equal([3]);
    });

    for (const parameters of [
      {},
      { state: 'completed' },
      { payload: 'items.sku:common' },
      { fingerprint: 'fingerprint0' },
      { payload: 'items.sku:common', queue: 'email', after: String(noon) },
    ] as Record<string, string>[]) {
      it(`pages through ${JSON.stringify(parameters)}, each job once`, async () => {
        const { query } = readJobQuery(parameters);
        const whole = (await search.find(query, { limit: 200 })).jobs.map(({ id }) => id);
        const paged: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await search.find(query, { limit: 7, cursor });
          expect(page.jobs.length).to.be.at.most(7);
          paged.push(...page.jobs.map(({ id }) => id));
          cursor = page.next;
        } while (cursor !== undefined);
        expect(paged).to.deep.equal(whole);
        expect(whole.length).to.be.greaterThan(5);
      });
    }

    it('refuses a cursor of another query, and one that is none', async () => {
      const dead = readJobQuery({ state: 'dead' }).query;
      const { next } = await search.find(dead, { limit: 2 });
      const other = readJobQuery({ state: 'dead', queue: 'email' }).query;
      for (const [query, cursor, text] of [
        [other, next, /belongs to another query/],
        [dead, 'bm9uZQ', /is none/],
      ] as const) {
        const error = await search.find(query, { limit: 2, cursor }).catch((thrown: unknown) => thrown);
        expect(error).to.be.instanceOf(QueryError);
        expect((error as Error).message).to.match(text);
      }
    });

    it('takes hostile text for text', async () => {
      for (const text of [
        `'; DROP TABLE monitor_jobs; --`,
        `" OR 1=1`,
        '%',
        '*',
        '_',
        '\\',
        '$1',
        '?1',
        '${seq}',
        '𝄞',
        '\u202e\u001b[2J',
        '__proto__',
        'constructor',
        'a'.repeat(500),
      ]) {
        for (const name of ['id', 'contract', 'queue', 'service', 'fingerprint', 'trace', 'root']) {
          if (text === '*' && ['contract', 'queue', 'service'].includes(name)) continue; // stands for all
          expect(await found({ [name]: text }), `${name}=${text}`).to.deep.equal([]);
        }
        expect(await found({ payload: `to:${text}` }), text).to.deep.equal([]);
        expect(await found({ payload: `${text}:x` }), text).to.deep.equal([]);
      }
      expect(await found({})).to.have.length(jobs);
    });
  });
});
