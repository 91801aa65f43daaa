import { expect } from 'chai';
import { MemoryIdempotencyStore } from '../../src/adapters/memory/memory-idempotency-store.js';
import { idempotencyMigrations, SqlIdempotencyStore } from '../../src/adapters/sql/sql-idempotency-store.js';
import { systemClock } from '../../src/base/clock.js';
import type { Claim, IdempotencyStore } from '../../src/ports/idempotency-store.js';
import { type Database, migrate } from '../../src/store.js';
import { until } from './recorder.js';
import { onEachStore } from './store-corner.js';

const minute = 60_000;
let keys = 0;

/** What every store of keys promises. @param open another user of the same store. */
function promises(open: () => Promise<IdempotencyStore>): void {
  let store: IdempotencyStore;
  let key: string;
  beforeEach(async () => {
    store = await open();
    key = `work:${keys++}`;
  });

  const claimed = async (by = store): Promise<Claim> => {
    const answer = await by.claim(key, minute, minute);
    if (answer.kind !== 'claimed') throw new Error(`the claim of ${key} was answered by ${answer.kind}`);
    return answer.claim;
  };

  it('gives a key to one of many who claim it at once, in any process', async () => {
    const others = [store, await open(), await open()];
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => others[i % 3]!.claim(key, minute, minute)),
    );
    expect(answers.filter(({ kind }) => kind === 'claimed')).to.have.length(1);
    expect(answers.filter(({ kind }) => kind === 'busy')).to.have.length(29);
  });

  it('gives different keys to whoever claims them, thousands at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 2_000 }, (_, i) => store.claim(`${key}:${i}`, minute, minute)),
    );
    expect(answers.every(({ kind }) => kind === 'claimed')).to.equal(true);
  });

  it('answers "done" with the result, once it is completed', async () => {
    const result = JSON.stringify({ text: 'ünï \0 ☃', nested: [1, null] });
    expect(await store.complete(await claimed(), { result, keepForMs: minute })).to.equal(true);
    for (const by of [store, await open()]) {
      expect(await by.claim(key, minute, minute)).to.deep.equal({ kind: 'done', result });
    }
  });

  it('answers "done" without a result where there was none', async () => {
    await store.complete(await claimed(), { result: undefined, keepForMs: minute });
    expect(await store.claim(key, minute, minute)).to.deep.equal({ kind: 'done', result: undefined });
  });

  it('completes many at once, each with its own result', async () => {
    const claims = await Promise.all(
      Array.from({ length: 700 }, async (_, i) => {
        const answer = await store.claim(`${key}:${i}`, minute, minute);
        return (answer as { claim: Claim }).claim;
      }),
    );
    await Promise.all(claims.map((claim, i) => store.complete(claim, { result: `${i}`, keepForMs: minute })));
    expect(await store.claim(`${key}:699`, minute, minute)).to.deep.equal({ kind: 'done', result: '699' });
  });

  it('may be told twice that the work is done', async () => {
    const claim = await claimed();
    await store.complete(claim, { result: '1', keepForMs: minute });
    expect(await store.complete(claim, { result: '1', keepForMs: minute })).to.equal(true);
  });

  it('gives a released key to the next who asks', async () => {
    await store.release(await claimed());
    await claimed(await open());
  });

  it('does not let go of work that is done, whoever releases it', async () => {
    const claim = await claimed();
    await store.complete(claim, { result: '1', keepForMs: minute });
    await store.release(claim);
    expect((await store.claim(key, minute, minute)).kind).to.equal('done');
  });

  it('does not let who was released complete or release the claim of another', async () => {
    const old = await claimed();
    await store.release(old);
    await claimed();
    expect(await store.complete(old, { result: '1', keepForMs: minute })).to.equal(false);
    await store.release(old);
    expect((await store.claim(key, minute, minute)).kind).to.equal('busy');
  });

  it('forgets what was done when its time is over', async () => {
    await store.complete(await claimed(), { result: '1', keepForMs: 1 });
    await until(
      () => store.claim(key, minute, minute),
      ({ kind }) => kind === 'claimed',
    );
  });

  it('takes keys of 400 characters of any kind apart by each of them', async () => {
    const long = '☃'.repeat(399);
    expect((await store.claim(`${long}a`, minute, minute)).kind).to.equal('claimed');
    expect((await store.claim(`${long}b`, minute, minute)).kind).to.equal('claimed');
    expect((await store.claim(`${long}a`, minute, minute)).kind).to.equal('busy');
    expect((await store.claim(`${long}A`, minute, minute)).kind).to.equal('claimed');
  });

  it('prunes what is over, and nothing else', async () => {
    await store.prune();
    await store.complete(await claimed(), { result: '1', keepForMs: minute });
    const over = Array.from({ length: 1_500 }, async (_, i) => {
      const answer = await store.claim(`${key}:${i}`, minute, 0);
      await store.complete((answer as { claim: Claim }).claim, { result: undefined, keepForMs: 0 });
    });
    await Promise.all(over);
    await store.claim(`${key}:held`, minute, minute);
    let pruned = 0;
    await until(
      async () => (pruned += await store.prune()),
      (all) => all === 1_500,
    );
    expect((await store.claim(key, minute, minute)).kind).to.equal('done');
    expect((await store.claim(`${key}:held`, minute, minute)).kind).to.equal('busy');
  });
}

describe('IdempotencyStore', () => {
  describe('in memory', () => {
    const store: IdempotencyStore & { lapse(): void } = new MemoryIdempotencyStore(systemClock);
    promises(() => Promise.resolve(store));

    it('lets claims lapse as if their holder had crashed', async () => {
      await store.claim('lapsing', minute, minute);
      store.lapse();
      expect((await store.claim('lapsing', minute, minute)).kind).to.equal('claimed');
    });
  });

  onEachStore((corner) => {
    const stores: IdempotencyStore[] = [];
    const open = async (database?: Database) => {
      const store = await SqlIdempotencyStore.open(database ?? (await corner().open()));
      stores.push(store);
      return store;
    };
    afterEach(() => Promise.all(stores.splice(0).map((store) => store.close())));
    promises(open);

    it('lets the claim of a holder lapse who is gone, and then refuses what he still says', async () => {
      const gone = await open();
      const { claim } = (await gone.claim('lapsing', 50, minute)) as { claim: Claim };
      await gone.close();
      const store = await open();
      await until(
        () => store.claim('lapsing', minute, minute),
        ({ kind }) => kind === 'claimed',
      );
      expect(await gone.complete(claim, { result: undefined, keepForMs: minute })).to.equal(false);
    });

    it('prunes what those who are gone had claimed, once it would be forgotten, and not before', async () => {
      const gone = await open();
      await gone.claim('left', 1, 1);
      await gone.claim('left for long', 1, minute);
      await gone.close();
      const store = await open();
      let pruned = 0;
      await until(
        async () => (pruned += await store.prune()),
        (all) => all > 0,
      );
      const { rows } = await (
        await corner().open()
      ).query(`SELECT key FROM jobrail_keys WHERE key LIKE 'left%'`);
      expect(rows).to.deep.equal([{ key: 'left for long' }]);
    });

    it('does not wait for a row that somebody else has locked, to prune or because of it', async function () {
      if (corner().dialect === 'sqlite') this.skip(); // one writer at a time
      const store = await open();
      const done = async (key: string) => {
        const { claim } = (await store.claim(key, 1, 0)) as { claim: Claim };
        await store.complete(claim, { result: undefined, keepForMs: 0 });
      };
      await done('locked');
      await done('free');
      const database = await corner().open();
      await database.transaction(async (transaction) => {
        await transaction.query(`SELECT FROM jobrail_keys WHERE key = 'locked' FOR UPDATE`);
        await until(
          () => store.prune(),
          (pruned) => pruned === 1,
        );
        expect((await store.claim('another', minute, minute)).kind).to.equal('claimed');
      });
      await until(
        () => store.prune(),
        (pruned) => pruned === 1,
      );
    });

    it('renews the claim of a holder who lives', async () => {
      const holder = await open();
      await holder.claim('renewed', 3_000, minute);
      const store = await open();
      let least = Infinity;
      // It is renewed when it comes down to three quarters: told by a rest that grows.
      await until(
        async () => (await store.claim('renewed', minute, minute)) as { leftMs: number },
        ({ leftMs }) => {
          const grew = leftMs > least;
          least = Math.min(least, leftMs);
          return grew;
        },
      );
    });

    it('writes the mark in a transaction, if and when that is committed', async () => {
      const database = await corner().open();
      const store = await open(database);
      const { claim } = (await store.claim('in-transaction', minute, minute)) as { claim: Claim };
      const done = { result: '1', keepForMs: minute };
      const aborted = database.transaction(async (transaction) => {
        expect(await store.complete(claim, done, transaction)).to.equal(true);
        throw new Error('no');
      });
      await aborted.catch(() => undefined);
      expect((await store.claim('in-transaction', minute, minute)).kind).to.equal('busy');
      await database.transaction((transaction) => store.complete(claim, done, transaction));
      expect((await store.claim('in-transaction', minute, minute)).kind).to.equal('done');
    });

    it('is brought from every earlier version of its table to the newest', async () => {
      for (let version = 0; version < idempotencyMigrations.length; version++) {
        const database = await corner().open();
        await database.query('DROP TABLE IF EXISTS jobrail_keys');
        await database.query(`DELETE FROM jobrail_migrations WHERE component = 'idempotency'`);
        await migrate(database, 'idempotency', idempotencyMigrations.slice(0, version));
        const now = Date.now();
        for (const [key, until] of version > 0
          ? Object.entries({ kept: now + minute, over: now - minute })
          : []) {
          await database.query(`INSERT INTO jobrail_keys (key, token, done, until) VALUES ($1, 'a', 1, $2)`, [
            key,
            until,
          ]);
        }
        const store = await open(database);
        expect((await store.claim(`after version ${version}`, minute, minute)).kind).to.equal('claimed');
        if (version === 0) continue;
        expect(await store.prune()).to.equal(1);
        expect((await store.claim('kept', minute, minute)).kind).to.equal('done');
      }
    });
  });
});
