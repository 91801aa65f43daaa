import { expect } from 'chai';
import type { Database } from 'jobrail/store';
import { JobWrites } from '../../src/projection/job-writes.js';
import { Kinds } from '../../src/projection/kinds.js';
import { Lease } from '../../src/projection/lease.js';
import { Projection, readState } from '../../src/projection/projection.js';
import { rebuild } from '../../src/projection/rebuild.js';
import { Retain } from '../../src/projection/retention.js';
import { Records } from '../../src/search/records.js';
import { openRecords } from '../../src/store/open-records.js';
import { onEachStore } from '../store-corner.js';
import { asRead, noon, storyOf, Telling, type ToldMessage } from '../told.js';

describe('Projection', () => {
  onEachStore((store) => {
    let database: Database;
    let telling: Telling;
    let replica: Replica;

    beforeEach(async () => {
      database = await store.open();
      await openRecords(database, 'test');
      telling = new Telling();
      replica = await Replica.on(database);
    });

    it('records jobs with their history, counts and causes of death', async () => {
      const [good, bad] = [storyOf('good'), storyOf('bad')];
      telling.tell('api', [good.enqueued(), bad.enqueued()]);
      telling.tell('email', [good.started(), good.completed(), bad.retried(), bad.dead({ attempt: 2 })]);
      await replica.apply(telling.messages);
      const { records } = replica;
      expect((await records.job('good'))!.history.map(({ kind, service }) => [kind, service])).to.deep.equal([
        ['enqueued', 'api'],
        ['started', 'email'],
        ['completed', 'email'],
      ]);
      expect(await records.counts()).to.deep.equal([
        { contract: 'email.send', queue: 'email', service: 'email', states: { completed: 1, dead: 1 } },
      ]);
      expect(await records.failures()).to.deep.equal([
        {
          ...{
            contract: 'email.send',
            queue: 'email',
            service: 'email',
            fingerprint: '0123456789ab',
            jobs: 1,
          },
          ...{ firstAt: noon + 20, lastAt: noon + 20, name: 'MailError', message: 'the mailbox is full' },
        },
      ]);
      const minutes = await records.minutes(noon, noon + 60_000);
      expect(minutes.map(({ outcome, attempts }) => [outcome, attempts])).to.have.deep.members([
        ['completed', 1],
        ['dead', 1],
        ['retried', 1],
      ]);
    });

    it('takes a batch once, however often it comes, also across transactions and restarts', async () => {
      const batch = telling.tell('email', [storyOf('a').retried(), storyOf('a').completed({ attempt: 2 })]);
      telling.repeat(batch);
      telling.repeat(batch);
      await replica.apply(telling.messages.slice(0, 2));
      const other = await Replica.on(database, replica);
      await other.apply(telling.messages.slice(2));
      expect((await other.records.job('a'))!.history).to.have.length(2);
      expect(
        (await other.records.minutes(noon, noon + 60_000)).map(({ attempts }) => attempts),
      ).to.deep.equal([1, 1]);
      expect((await readState(database)).nextOffset).to.equal(3);
    });

    it('changes nothing when a transaction fails, wherever it does, and goes on exactly', async () => {
      telling.tell('api', [storyOf('a').enqueued(), storyOf('b').enqueued()]);
      telling.tell('email', [storyOf('a').completed(), storyOf('b').dead()]);
      let breaking = replica;
      for (let statement = 1; statement < 12; statement++) {
        breaking = await Replica.on(failingAt(database, statement), breaking);
        const error = await breaking.apply(telling.messages).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(error, `statement ${statement}`).to.be.instanceOf(Error);
        expect(await contents(database)).to.deep.include({ jobs: [], history: [], next: 0 });
      }
      await (await Replica.on(database, breaking)).apply(telling.messages);
      expect((await contents(database)).jobs.map(({ id, state }) => [id, state])).to.deep.equal([
        ['a', 'completed'],
        ['b', 'dead'],
      ]);
    });

    it('lets only the replica with the lease write', async () => {
      const rival = await Replica.on(database, replica);
      telling.tell('api', [storyOf('a').enqueued()]);
      expect(await replica.apply(telling.messages).catch((error: unknown) => (error as Error).name)).to.equal(
        'LeaseLost',
      );
      await rival.apply(telling.messages);
      expect(await replica.lease.take()).to.equal(false);
      await rival.lease.release();
      expect(await replica.lease.take()).to.equal(true);
    });

    it('gives the same rows in one transaction, in many, and when it is rebuilt', async () => {
      tellMany(telling, 60);
      await replica.apply(telling.messages);
      const together = await contents(database);
      expect(together.jobs).to.have.length(60);

      const second = await store.open();
      for (const table of [
        'jobs',
        'history',
        'values',
        'segments',
        'shelves',
        'failures',
        'minutes',
        'senders',
      ]) {
        await second.query(`DELETE FROM monitor_${table}`);
      }
      await second.query(`UPDATE monitor_projection SET next_offset = 0, counted_to = 0`);
      for (const message of telling.messages) await replica.apply([message]);
      expect(await contents(database)).to.deep.equal(together);

      await rebuild(database, replica.lease, 0);
      expect((await contents(database)).jobs).to.have.length(0);
      for (let i = 0; i < telling.messages.length; i += 7)
        await replica.apply(telling.messages.slice(i, i + 7));
      expect(await contents(database)).to.deep.equal(together);
    });

    it('ends a rebuild that a crash interrupted, whatever was projected meanwhile', async () => {
      tellMany(telling, 60);
      await replica.apply(telling.messages);
      const before = await contents(database);
      for (let statement = 2; statement <= 6; statement++) {
        const dying = failingAt(database, statement, 2); // the first transaction has cleared a segment then
        const error = await rebuild(dying, replica.lease, 0).catch((thrown: unknown) => thrown);
        expect(error, `statement ${statement}`).to.be.instanceOf(Error);
      }
      telling.tell('email', [storyOf('job-0007').started(), storyOf('late').completed()], 'email-9');
      await replica.apply(telling.messages.slice(-1));
      await rebuild(database, replica.lease, 0);
      await replica.apply(telling.messages.slice(0, -1));
      const { next, ...rest } = await contents(database);
      expect({ ...rest, minutes: before.minutes, next }).to.deep.equal(before); // minutes are never counted anew
      await replica.apply(telling.messages.slice(-1));
      expect((await contents(database)).jobs.map(({ id }) => id))
        .to.include('late')
        .and.have.length(61);
    });

    it('keeps, in a rebuild, what the stream does not have any more', async () => {
      tellMany(telling, 60);
      await replica.apply(telling.messages);
      const before = await contents(database);
      const gone = Math.floor(telling.messages.length / 2);
      await rebuild(database, replica.lease, gone);
      await replica.apply(telling.messages.slice(gone));
      const after = await contents(database);
      expect(after.jobs.map(({ id, state, attempts }) => [id, state, attempts])).to.deep.equal(
        before.jobs.map(({ id, state, attempts }) => [id, state, attempts]),
      );
      expect({ ...after, jobs: [], history: [] }).to.deep.equal({ ...before, jobs: [], history: [] });
    });

    it('leaves out what is no event, and counts it', async () => {
      const fine = storyOf('fine');
      telling.put('no batch');
      telling.put({ v: 2, from: {}, seq: 1, events: [] });
      telling.tell('email', [
        fine.completed(),
        { kind: 'started', job: 'x' } as never,
        { ...fine.completed(), at: 'yesterday' } as never,
        { ...fine.dead(), error: null } as never,
        { ...fine.completed(), job: `nul\0` },
        { ...fine.completed(), job: 'j'.repeat(300) },
        { ...fine.completed(), job: 'lone \ud800' },
        null as never,
      ]);
      const { refused } = await replica.apply(telling.messages);
      expect(refused).to.equal(9);
      expect((await contents(database)).jobs.map(({ id }) => id)).to.deep.equal(['fine']);
    });

    it('bounds what a sender that is no Jobrail may write', async () => {
      const huge = 'x'.repeat(3_000_000);
      telling.tell('email', [
        storyOf('payload').enqueued({ payload: { huge } }),
        storyOf('note').progress(0.5, { note: huge }),
        storyOf('hostile').dead({
          error: { name: '\0\ud800', message: `\u001b[2J\0${huge}`, fingerprint: 'f'.repeat(12) },
        }),
      ]);
      await replica.apply(telling.messages);
      expect(await replica.records.job('payload')).to.include({
        state: 'pending',
        truncated: true,
      });
      expect(JSON.stringify(await replica.records.job('note')).length).to.be.lessThan(1_000);
      expect((await replica.records.failures())[0]!.message.length).to.equal(1_000);
    });

    it('lets a scheduled job wait to be started when its time has come', async () => {
      const later = storyOf('later');
      telling.tell('api', [later.enqueued({ dueAt: noon + 5_000 })]);
      await replica.apply(telling.messages);
      expect(await replica.release(noon + 4_999)).to.equal(0);
      expect(await replica.release(noon + 5_000)).to.equal(1);
      expect(await replica.records.job('later')).to.include({ state: 'pending' });
      expect(await replica.records.counts()).to.deep.equal([
        { contract: 'email.send', queue: 'email', service: '', states: { pending: 1 } },
      ]);
    });

    it('removes what is too old or too much, by state, and counts what is left', async () => {
      for (let i = 0; i < 30; i++)
        telling.tell('email', [storyOf(`done-${i}`, { at: noon + i }).completed()]);
      for (let i = 0; i < 5; i++)
        telling.tell('email', [storyOf(`dead-${i}`, { at: noon - 86_400_000 }).dead()]);
      telling.tell('api', [storyOf('waits', { at: 0 }).enqueued()]);
      await replica.apply(telling.messages);
      const retain = new Retain(database, replica.lease, {
        completed: { ageMs: Infinity, jobs: 10 },
        dead: { ageMs: 3_600_000, jobs: 100 },
      });
      while (await retain.step(noon + 1_000));
      const { jobs, history } = await contents(database);
      const left = jobs.map(({ id }) => id);
      expect(left.filter((id) => id.startsWith('done'))).to.deep.equal(
        Array.from({ length: 10 }, (_, i) => `done-${i + 20}`),
      );
      expect(left.filter((id) => !id.startsWith('done'))).to.deep.equal(['waits']);
      expect(history).to.have.length(11);
      expect(await replica.records.failures()).to.deep.equal([]);
      expect((await replica.records.projection()).jobs).to.equal(11);
    });
  });
});

/** What projects, as one replica of the monitor. */
class Replica {
  private constructor(
    private readonly database: Database,
    readonly lease: Lease,
    private readonly kinds: Kinds,
    private readonly projection: Projection,
    readonly records: Records,
  ) {}

  /** @param after gives the lease up for this one. */
  static async on(database: Database, after?: Replica): Promise<Replica> {
    await after?.lease.release();
    const lease = new Lease(database);
    expect(await lease.take()).to.equal(true);
    const kinds = new Kinds();
    return new Replica(
      database,
      lease,
      kinds,
      new Projection(database, lease, kinds),
      new Records(database, kinds),
    );
  }

  async apply(messages: readonly ToldMessage[]) {
    await this.lease.take();
    return this.projection.apply(messages.map(asRead));
  }

  release(now: number): Promise<number> {
    return this.database.transaction(async (transaction) => {
      const writes = new JobWrites(transaction, this.kinds.within(transaction), 1);
      const released = await writes.release(now);
      await writes.write();
      return released;
    });
  }
}

/** A database whose transactions fail at their n-th statement, from the first or a later one on. */
function failingAt(database: Database, statement: number, from = 1): Database {
  let transactions = 0;
  return new Proxy(database, {
    get(target, name) {
      if (name !== 'transaction')
        return (target[name as keyof Database] as () => void)?.bind?.(target) ?? target[name as never];
      return (work: Parameters<Database['transaction']>[0]) =>
        target.transaction((transaction) => {
          let left = ++transactions >= from ? statement : Infinity;
          const counted = new Proxy(transaction, {
            get(inner, method) {
              const value = inner[method as keyof typeof inner] as unknown;
              if (typeof value !== 'function') return value;
              return (...parameters: unknown[]) => {
                if (--left === 0) throw new Error('the process died here');
                return (value as (...all: unknown[]) => unknown).apply(inner, parameters);
              };
            },
          });
          return work(counted);
        });
    },
  });
}

/** Jobs of two queues that retry, die, are replayed, expire; their events from three processes, now and then twice. */
function tellMany(telling: Telling, jobs: number): void {
  const pick = (i: number, of: number) => (i * 7 + (i >> 3)) % of;
  for (let i = 0; i < jobs; i++) {
    const queue = ['email', 'media'][i % 2]!;
    const story = storyOf(`job-${String(i).padStart(4, '0')}`, {
      contract: `${queue}.run`,
      queue,
      at: noon + i * 1_000,
    });
    const enqueued = story.enqueued({
      payload: { to: `user-${i % 10}@example.com`, n: i },
      traceId: i.toString(16).padStart(32, '0'),
    });
    if (i % 5 !== 0) telling.tell('api', [enqueued]);
    const first = telling.tell(queue, [story.started(), story.retried()], `${queue}-1`);
    if (i % 4 === 0) telling.repeat(first);
    if (pick(i, 3) === 0) telling.tell(queue, [story.completed({ attempt: 2 })], `${queue}-2`);
    if (pick(i, 3) === 1) {
      telling.tell(queue, [
        story.dead({
          attempt: 2,
          error: { name: 'E', message: `${i}`, fingerprint: `00000000000${i % 3}` },
        }),
      ]);
      if (i % 2 === 0) telling.tell('cli', [story.replayed(1)], 'cli-1');
    }
    if (i % 5 === 0) telling.tell('api', [enqueued]);
  }
}

/** Rows as they are, but for the numbers that only say in which order they were made. */
async function contents(database: Database) {
  const { rows: jobs } = await database.query<{ seq: number; time: number; record: string }>(
    `SELECT seq, time, record FROM monitor_jobs ORDER BY id`,
  );
  const ids = new Map(jobs.map(({ seq, record }) => [seq, (JSON.parse(record) as { id: string }).id]));
  const { rows: history } = await database.query<{ seq: number; steps: string }>(
    `SELECT seq, steps FROM monitor_history ORDER BY seq, place`,
  );
  const steps = new Map<string, unknown[]>();
  for (const row of history) {
    const id = ids.get(row.seq)!;
    steps.set(id, [...(steps.get(id) ?? []), ...(JSON.parse(row.steps) as unknown[])]);
  }
  const plain = async (text: string) => (await database.query(text)).rows.map((row) => ({ ...row }));
  const { rows: place } = await database.query<{ next: number }>(
    `SELECT next_offset AS next FROM monitor_projection`,
  );
  return {
    jobs: jobs.map(({ time, record }) => ({
      time,
      ...(JSON.parse(record) as { id: string; state: string; attempts: number }),
    })),
    history: [...steps].sort(([a], [b]) => (a < b ? -1 : 1)),
    shelves: await plain(`SELECT shelf, jobs FROM monitor_shelves WHERE jobs <> 0 ORDER BY shelf`),
    failures: await plain(`SELECT fingerprint, kind, jobs FROM monitor_failures ORDER BY fingerprint, kind`),
    minutes: await plain(`SELECT * FROM monitor_minutes ORDER BY minute, kind, outcome`),
    next: place[0]!.next,
  };
}
