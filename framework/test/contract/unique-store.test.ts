import { expect } from 'chai';
import { MemoryUniqueStore } from '../../src/adapters/memory/memory-unique-store.js';
import { SqlUniqueStore, uniqueMigrations } from '../../src/adapters/sql/sql-unique-store.js';
import { systemClock } from '../../src/base/clock.js';
import type { UniqueStore } from '../../src/ports/unique-store.js';
import { type Database, migrate } from '../../src/store.js';
import { until } from './recorder.js';
import { rejection } from './rejection.js';
import { onEachStore } from './store-corner.js';

const minute = 60_000;
let keys = 0;

/** What every store of unique jobs promises. @param open another user of the same store. */
function promises(open: () => Promise<UniqueStore>): void {
  let store: UniqueStore;
  let key: string;
  let job: string;
  beforeEach(async () => {
    store = await open();
    key = `key:${keys++}`;
    job = `first of ${key}`;
  });
  const claim = (by = store, id = job) => by.claim({ key, job: id }, minute);
  const held = async (forMs = minute) => {
    expect(await claim()).to.deep.equal({ kind: 'first' });
    await store.sent({ key, job }, forMs);
  };
  const newest = (body: string, delayMs = 0) => ({ body, delayMs, keepForMs: minute });

  it('lets one of many be the first who claim a key at once, in any process', async () => {
    const others = [store, await open(), await open()];
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => claim(others[i % 3], `${job}:${i}`)),
    );
    expect(answers.filter(({ kind }) => kind === 'first')).to.have.length(1);
    expect(answers.filter(({ kind }) => kind === 'sending')).to.have.length(29);
  });

  it('lets each be the first of its own key, thousands at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 2_000 }, (_, i) => store.claim({ key: `${key}:${i}`, job }, minute)),
    );
    expect(answers.every(({ kind }) => kind === 'first')).to.equal(true);
  });

  it('names the first to whoever comes once it is sent', async () => {
    await held();
    expect(await claim(await open(), 'second')).to.deep.equal({ kind: 'held', job });
  });

  it('lets the same job claim again while it is being sent, and not after', async () => {
    await claim();
    expect(await claim()).to.deep.equal({ kind: 'first' });
    await store.sent({ key, job }, minute);
    expect(await claim()).to.deep.equal({ kind: 'held', job });
  });

  it('frees the key of a producer that does not say in time that the job is sent', async () => {
    await store.claim({ key, job }, 1);
    await until(
      () => claim(store, 'second'),
      ({ kind }) => kind === 'first',
    );
    await store.sent({ key, job }, minute);
    expect((await claim(store, 'third')).kind, 'the first comes too late').to.equal('sending');
  });

  it('frees the key when its time is over', async () => {
    await held(1);
    await until(
      () => claim(store, 'second'),
      ({ kind }) => kind === 'first',
    );
  });

  it('frees the key when the job has ended, and not when another has', async () => {
    await held();
    await store.end({ key, job: 'another' });
    expect(await claim(store, 'second')).to.deep.equal({ kind: 'held', job });
    await store.end({ key, job });
    expect(await claim(await open(), 'second')).to.deep.equal({ kind: 'first' });
  });

  it('does not hold the key of a job that has ended before it was told as sent', async () => {
    await claim();
    await store.end({ key, job });
    await store.sent({ key, job }, minute);
    expect(await claim(store, 'second')).to.deep.equal({ kind: 'first' });
  });

  it('gives the newest payload to the job when it starts, again for each attempt', async () => {
    await held();
    const other = await open();
    expect(await store.replace(key, newest('"one"'))).to.equal(job);
    expect(await other.replace(key, newest('"ünï \\u0000 ☃"'))).to.equal(job);
    for (const by of [store, other]) {
      expect(await by.take({ key, job })).to.deep.equal({ kind: 'start', body: '"ünï \\u0000 ☃"' });
    }
  });

  it('leaves a job the payload it has when no other came', async () => {
    await held();
    expect(await store.take({ key, job })).to.deep.equal({ kind: 'start', body: undefined });
  });

  it('takes no payload for a job that has started, nor for one that is not sent yet', async () => {
    await claim();
    expect(await store.replace(key, newest('1'))).to.equal(undefined);
    await store.sent({ key, job }, minute);
    await store.take({ key, job });
    expect(await store.replace(key, newest('1'))).to.equal(undefined);
    expect(await claim(store, 'second')).to.deep.equal({ kind: 'first' });
  });

  it('forgets the payload when the job has ended', async () => {
    await held();
    await store.replace(key, newest('1'));
    await store.end({ key, job });
    expect(await store.take({ key, job })).to.deep.equal({ kind: 'start', body: undefined });
  });

  it('keeps the payload of a job whose key was taken over when its time was over', async () => {
    await held(1_000);
    await store.replace(key, newest('"of the first"'));
    await until(
      () => claim(store, 'second'),
      ({ kind }) => kind === 'first',
    );
    expect(await store.take({ key, job })).to.deep.equal({ kind: 'start', body: '"of the first"' });
    expect((await claim(store, 'third')).kind, 'the key of the second').to.equal('sending');
  });

  it('puts a job off by the delay of the newest, for as long as the key is held', async () => {
    await held();
    await store.replace(key, newest('1', 10_000));
    const later = await store.take({ key, job });
    expect(later.kind).to.equal('later');
    expect((later as { inMs: number }).inMs).to.be.within(1, 10_000);
    await store.replace(key, newest('2', 10 * minute));
    expect(((await store.take({ key, job })) as { inMs: number }).inMs).to.be.within(10_001, minute);
    await store.replace(key, newest('3', 0));
    expect(await store.take({ key, job })).to.deep.equal({ kind: 'start', body: '3' });
  });

  it('lets a payload win or be refused, never be lost, when the job starts at that moment', async () => {
    for (let round = 0; round < 20; round++) {
      key = `race:${keys++}`;
      await held();
      const other = await open();
      const [taken, ...replaced] = await Promise.all([
        other.take({ key, job }),
        ...[1, 2, 3].map((n) => store.replace(key, newest(`${n}`))),
      ]);
      const accepted = replaced.some((by) => by !== undefined);
      expect(taken.kind === 'start' && taken.body !== undefined, `round ${round}`).to.equal(accepted);
      await store.end({ key, job });
    }
  });

  it('prunes what is over, and nothing else', async () => {
    await held();
    await store.replace(key, newest('1'));
    await Promise.all(
      Array.from({ length: 1_500 }, async (_, i) => {
        const own = { key: `${key}:${i}`, job: `${job}:${i}` };
        await store.claim(own, minute);
        await store.sent(own, 0);
      }),
    );
    let pruned = 0;
    await until(
      async () => (pruned += await store.prune()),
      (all) => all >= 1_500,
    );
    expect(await claim(store, 'second')).to.deep.equal({ kind: 'held', job });
    expect(await store.take({ key, job })).to.deep.equal({ kind: 'start', body: '1' });
  });
}

describe('UniqueStore', () => {
  describe('in memory', () => {
    const memory = new MemoryUniqueStore(systemClock);
    promises(() => Promise.resolve(memory));
  });

  onEachStore((corner) => {
    const stores: UniqueStore[] = [];
    const open = async (database?: Database) => {
      const store = await SqlUniqueStore.open(database ?? (await corner().open()));
      stores.push(store);
      return store;
    };
    afterEach(() => Promise.all(stores.splice(0).map((store) => store.close())));
    promises(open);

    it('is brought from every earlier version of its tables to the newest', async () => {
      for (let version = 0; version < uniqueMigrations.length; version++) {
        const database = await corner().open();
        for (const table of ['jobrail_unique', 'jobrail_unique_newest']) {
          await database.query(`DROP TABLE IF EXISTS ${table}`);
        }
        await database.query(`DELETE FROM jobrail_migrations WHERE component = 'unique'`);
        await migrate(database, 'unique', uniqueMigrations.slice(0, version));
        const store = await open(database);
        expect(await store.claim({ key: `v${version}`, job: 'a' }, minute)).to.deep.equal({ kind: 'first' });
      }
    });

    it('refuses tables of a newer version', async () => {
      const database = await corner().open();
      await open(database);
      await migrate(database, 'unique', [...uniqueMigrations, { name: 'of later', statements: [] }]);
      expect(await rejection(open(database))).to.include({ code: 'JR_STORE_NEWER' });
      await database.query(`DELETE FROM jobrail_migrations WHERE component = 'unique' AND version > 1`);
    });
  });
});
