import { expect } from 'chai';
import { ContainerModule, inject, injectable } from 'inversify';
import {
  fixed,
  Job,
  type Handler,
  type JobContext,
  type JobOptions,
  JobTransaction,
} from '../../src/index.js';
import { idempotencyMigrations } from '../../src/adapters/sql/sql-idempotency-store.js';
import { migrate } from '../../src/store.js';
import { rejection } from '../contract/rejection.js';
import { onEachStore, type StoreCorner } from '../contract/store-corner.js';
import { useStage } from './stage.js';
import { gate, lone, working } from './working.js';

const soon = { retry: fixed({ attempts: 3, every: '10ms' }), timeout: '20s' } as const;
const keyed = { ...soon, idempotency: { key: ({ note }: { note: string }) => note, keepFor: '1h' } } as const;

describe('idempotent jobs', () => {
  const stage = useStage();

  onEachStore((corner) => {
    /** A service that tells each run; what `work` gives is the result. */
    const start = (
      name: string,
      work: (payload: { note: string }, job: JobContext) => unknown,
      options: JobOptions<{ note: string }> = keyed,
    ) => {
      const contract = lone(`${name}-${corner().dialect}`);
      const handler = working(
        contract,
        (payload, job) => {
          stage.signals.tell('ran', payload.note);
          return work(payload, job);
        },
        options,
      );
      const service = () => stage.start({ handlers: [handler], store: corner().url });
      return { contract, service };
    };
    const outcome = (id: string, kind: string) =>
      stage.signals.first({ what: 'ended', id, outcome: kind as never });
    const runs = () => stage.signals.of({ what: 'ran' }).length;

    it('are done once for a key, however often they are enqueued, and give the kept result', async () => {
      const { contract, service } = start('twice', ({ note }) => ({ done: note }));
      await service();
      const first = await stage.client.enqueue(contract, { note: 'a' });
      await outcome(first.id, 'completed');
      const second = await stage.client.enqueue(contract, { note: 'a' });
      const { detail } = await outcome(second.id, 'completed');
      expect(detail).to.deep.equal({ kind: 'completed', result: { done: 'a' } });
      const other = await stage.client.enqueue(contract, { note: 'b' });
      await outcome(other.id, 'completed');
      expect(stage.signals.of({ what: 'ran' }).map(({ detail }) => detail)).to.deep.equal(['a', 'b']);
    });

    it('are known by their id where no key is asked for, also to another service process', async () => {
      const options = { ...soon, idempotency: { keepFor: '1h' } } as const;
      const { contract, service } = start('by-id', () => 'done', options);
      const one = await service();
      await stage.client.enqueue(contract, { note: 'a' }, { id: `same-${corner().dialect}` });
      await stage.signals.first({ what: 'ended', outcome: 'completed' });
      await one.stop();
      await service();
      await stage.client.enqueue(contract, { note: 'b' }, { id: `same-${corner().dialect}` });
      await stage.signals.next(2, { what: 'ended', outcome: 'completed' });
      expect(runs()).to.equal(1);
    });

    it('that come while another of their key is running snooze, and then give its result', async () => {
      const { opened, open } = gate();
      const { contract, service } = start('at-once', async () => {
        await opened;
        return 42;
      });
      await service();
      const jobs = await stage.client.enqueueMany(contract, [{ note: 'a' }, { note: 'a' }, { note: 'a' }]);
      await stage.signals.next(2, { what: 'ended', outcome: 'snooze' });
      expect(runs()).to.equal(1);
      open();
      const ended = await stage.signals.next(3, { what: 'ended', outcome: 'completed' });
      expect(ended.map(({ detail }) => (detail as { result: unknown }).result)).to.deep.equal([42, 42, 42]);
      expect(ended.map(({ id }) => id)).to.have.members(jobs.map(({ id }) => id));
      expect(runs()).to.equal(1);
    });

    it('run again after an attempt that failed', async () => {
      const { contract, service } = start('retried', (_, { attempt }) => {
        if (attempt < 3) throw new Error('not yet');
        return attempt;
      });
      await service();
      const { id } = await stage.client.enqueue(contract, { note: 'a' });
      const { detail } = await outcome(id, 'completed');
      expect(detail).to.deep.equal({ kind: 'completed', result: 3 });
      expect(runs()).to.equal(3);
    });

    it('may be enqueued again after the first was given up on', async () => {
      let broken = true;
      const { contract, service } = start('dead-first', () => {
        if (broken) throw new Error('broken');
      });
      await service();
      const first = await stage.client.enqueue(contract, { note: 'a' });
      await outcome(first.id, 'dead');
      broken = false;
      const second = await stage.client.enqueue(contract, { note: 'a' });
      await outcome(second.id, 'completed');
    });

    it('complete all the same when their result is no JSON; nobody gets it later', async () => {
      const { contract, service } = start('odd-result', () => ({ big: 1n }));
      await service();
      const first = await stage.client.enqueue(contract, { note: 'a' });
      await outcome(first.id, 'completed');
      const second = await stage.client.enqueue(contract, { note: 'a' });
      expect((await outcome(second.id, 'completed')).detail).to.deep.equal({
        kind: 'completed',
        result: undefined,
      });
      expect(runs()).to.equal(1);
    });

    for (const [what, key, shown] of [
      [
        'throws',
        () => {
          throw new Error('no such field');
        },
        /threw: no such field/,
      ],
      ['gives no text', () => 7 as unknown as string, /gave 7/],
      ['gives nothing', () => '', /empty/],
      ['gives more than a store takes', () => 'x'.repeat(256), /256 characters/],
      ['gives half a character', () => 'a\ud800', /gave "a\\ud800"/],
    ] as const) {
      // prettier-ignore
      it(`are dead letters, not run, when their key function ${what}`, async () => {
        const name = `bad-key-${what.replaceAll(' ', '-')}`;
        const { contract, service } = start(name, () => 1, { ...soon, idempotency: { key, keepFor: '1h' } });
        await service();
        const { id } = await stage.client.enqueue(contract, { note: 'a' });
        const { detail } = await outcome(id, 'dead');
        const { error } = detail as { error: Error & { code: string } };
        expect(error.code).to.equal('JR_KEY_INVALID');
        expect(error.message).to.match(shown);
        expect(runs()).to.equal(0);
      });
    }

    it('with a payload that fits no schema have the outcome of that, not of their key', async () => {
      const { contract, service } = start('bad-payload', () => 1);
      await service();
      const channel = await stage.channel();
      channel.publish(`${stage.prefix}.jobs`, contract.name, Buffer.from('{"note":1}'), {
        messageId: 'bad-one',
        type: contract.name,
      });
      const { detail } = await stage.signals.first({ what: 'ended', outcome: 'dead' });
      expect(detail).to.include({ reason: 'invalid-payload' });
    });

    it('need a store that is not newer than the code', async () => {
      const newer = await corner().open();
      const later = [...idempotencyMigrations, { name: 'of a later version', statements: [] }];
      await migrate(newer, 'idempotency', later);
      const { service } = start('newer', () => 1);
      expect(await rejection(service())).to.include({ code: 'JR_STORE_NEWER' });
      await newer.query(`DELETE FROM jobrail_migrations WHERE name = 'of a later version'`);
    });
  });

  describe('at the start of their service', () => {
    it('refuse to forget before their retries are over, and say how long that can take', async () => {
      const contract = lone('forgetful');
      const handler = working(contract, () => 1, {
        retry: fixed({ attempts: 4, every: '1m' }),
        timeout: '30s',
        idempotency: { keepFor: '4m' },
      });
      const refused = () => stage.service({ handlers: [handler] });
      expect(refused).to.throw(/keepFor .* is 4\.0 min, but its retries can take 5\.0 min\. .*'300s'/);
    });

    it('fail when the store cannot be had, and leave nothing open', async () => {
      const handler = working(lone('no-store'), () => 1, keyed);
      const service = stage.service({ handlers: [handler], store: 'postgres://root@127.0.0.1:1/none' });
      expect(await rejection(service.start())).to.include({ code: 'JR_STORE_UNREACHABLE' });
      expect(service.state).to.equal('stopped');
    });

    it('open no store for handlers that are not idempotent', async () => {
      const handler = working(lone('plain'), () => 1);
      await stage.start({ handlers: [handler], store: 'postgres://root@127.0.0.1:1/none' });
    });
  });
});

/** A ledger in PostgreSQL, and something a handler is built with that writes to it. */
@injectable()
class Ledger {
  constructor(@inject(JobTransaction) private readonly transaction: JobTransaction) {}
  async add(note: string): Promise<void> {
    await this.transaction.query('INSERT INTO ledger (note) VALUES ($1)', [note]);
  }
}

describe('jobs with a transaction', () => {
  const stage = useStage();
  onEachStore(
    (corner) => {
      before(async () => {
        const database = await corner().open();
        await database.query('CREATE TABLE ledger (note TEXT UNIQUE DEFERRABLE INITIALLY DEFERRED)');
      });
      const ledger = async ({ open }: StoreCorner = corner()) => {
        const { rows } = await (await open()).query('SELECT note FROM ledger ORDER BY note');
        return rows.map(({ note }) => note);
      };

      /** A handler that adds to the ledger by what it is built with and by a transaction of its own, which is the same. */
      const start = async (
        name: string,
        work: (note: string, job: JobContext) => unknown,
        idempotent = true,
      ) => {
        const contract = lone(name);
        @Job(contract, idempotent ? keyed : soon)
        class Adding implements Handler<typeof contract> {
          constructor(
            @inject(Ledger) private readonly ledger: Ledger,
            @inject(JobTransaction) private readonly transaction: JobTransaction,
          ) {}
          async handle({ note }: { note: string }, job: JobContext) {
            await this.ledger.add(note);
            const { rows } = await this.transaction.query<{ n: string }>(
              'SELECT count(*) AS n FROM ledger WHERE note = $1',
              [note],
            );
            expect(rows[0]!.n).to.equal('1');
            return work(note, job);
          }
        }
        const modules = [new ContainerModule(({ bind }) => void bind(Ledger).toSelf().inTransientScope())];
        await stage.start({ handlers: [Adding], modules, store: corner().url });
        return contract;
      };

      it('have what they did committed together with the mark', async () => {
        const contract = await start('committed', (note) => note.length);
        for (let i = 0; i < 2; i++) {
          const { id } = await stage.client.enqueue(contract, { note: 'committed' });
          const { detail } = await stage.signals.first({ what: 'ended', id });
          expect(detail).to.deep.equal({ kind: 'completed', result: 9 });
        }
        expect(await ledger()).to.include('committed');
      });

      it('have what a failed attempt did rolled back', async () => {
        const contract = await start('rolled-back', (_, { attempt }) => {
          if (attempt < 3) throw new Error('not yet');
        });
        await stage.client.enqueue(contract, { note: 'rolled back' });
        await stage.signals.first({ what: 'ended', outcome: 'completed' });
        expect((await ledger()).filter((note) => note === 'rolled back')).to.have.length(1);
      });

      it('are retried when the database refuses the commit', async () => {
        const contract = await start('refused', () => 1);
        await (await corner().open()).query(`INSERT INTO ledger VALUES ('there before')`);
        await stage.client.enqueue(contract, { note: 'there before' });
        // The handler counts the row that was there before, too.
        const { detail } = await stage.signals.first({ what: 'ended', outcome: 'dead' });
        expect(detail).to.include({ reason: 'retries-exhausted' });
        expect((await ledger()).filter((note) => note === 'there before')).to.have.length(1);
      });

      it('do nothing when they were taken over meanwhile', async () => {
        const { opened, open } = gate();
        const contract = await start('taken-over', () => opened);
        const { id } = await stage.client.enqueue(contract, { note: 'taken over' });
        const other = await corner().open();
        await stage.signals.first({ what: 'began', id });
        await stage.signals.when(() => stage.signals.of({ what: 'began' }).length > 0, 'the attempt');
        // As after a lease that ran out, because the process stood still.
        let taken = 0;
        while (taken === 0) {
          ({ changes: taken } = await other.query(`UPDATE jobrail_keys SET token = 'another', done = 1, until = until + 60000, result = '"theirs"' WHERE done = 0`)); // prettier-ignore
        }
        open();
        await stage.signals.first({ what: 'ended', id, outcome: 'snooze' });
        expect(await ledger()).to.not.include('taken over');
        const { detail } = await stage.signals.first({ what: 'ended', id, outcome: 'completed' });
        expect(detail).to.deep.equal({ kind: 'completed', result: 'theirs' });
      });

      it('fail with what to do when the handler is not idempotent', async () => {
        const contract = await start('not-idempotent', () => 1, false);
        await stage.client.enqueue(contract, { note: 'never' });
        const { detail } = await stage.signals.first({ what: 'ended', outcome: 'retry' });
        expect((detail as { error: Error }).error.message).to.contain('is not idempotent');
      });
    },
    ['postgres'],
  );
});
