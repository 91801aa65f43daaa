import { expect } from 'chai';
import { fixed, type JobClient, type UniqueOptions } from '../../src/index.js';
import type { JobContext } from '../../src/index.js';
import { laneQueue } from '../../src/model/topology.js';
import { rejection } from '../contract/rejection.js';
import { onEachStore } from '../contract/store-corner.js';
import { useStage } from './stage.js';
import { gate, lone, working } from './working.js';

type Note = { note: string };

describe('unique jobs', () => {
  const stage = useStage();

  onEachStore((corner) => {
    const scene = (name: string, work: (payload: Note, job: JobContext) => unknown = () => undefined) => {
      const contract = lone(`unique-${name}-${corner().dialect}`);
      stage.owns(contract);
      const handler = working(
        contract,
        (payload, job) => {
          stage.signals.tell('ran', payload.note);
          return work(payload, job);
        },
        { retry: fixed({ attempts: 2, every: '10ms' }) },
      );
      return {
        contract,
        client: () => stage.newClient({ store: corner().url }),
        service: () => stage.start({ handlers: [handler], store: corner().url }),
        waiting: () => stage.ready(laneQueue(stage.prefix, contract.queue, 0)),
      };
    };
    const unique = (on: UniqueOptions['on'], key = 'a key: ü ☃'): { unique: UniqueOptions } => ({
      unique: { key, for: '10m', ...(on && { on }) },
    });
    const notes = () => stage.signals.of({ what: 'ran' }).map(({ detail }) => detail);
    const ended = (id: string, outcome = 'completed', count = 1) =>
      stage.signals.next(count, { what: 'ended', id, outcome: outcome as never });

    it('are enqueued once over several producers at once, and all get the id of the first', async () => {
      const { contract, client, waiting } = scene('once');
      const clients = [client(), client(), client()];
      const jobs = await Promise.all(
        Array.from({ length: 30 }, (_, i) =>
          clients[i % 3]!.enqueue(contract, { note: `${i}` }, unique('enqueued')),
        ),
      );
      expect(new Set(jobs.map(({ id }) => id)).size).to.equal(1);
      expect(await waiting()).to.equal(1);
    });

    it('are told apart by what the key function makes of the payload, in a batch, too', async () => {
      const { contract, client, waiting } = scene('by-function');
      const payloads = ['a', 'b', 'a'].map((note) => ({ note }));
      const jobs = await client().enqueueMany(contract, payloads, {
        unique: { key: ({ note }) => note, for: '1m' },
      });
      expect(jobs[0]!.id).to.equal(jobs[2]!.id).and.not.equal(jobs[1]!.id);
      expect(await waiting()).to.equal(2);
    });

    it('stay unique after they have run, with "enqueued"', async () => {
      const { contract, client, service } = scene('still');
      await service();
      const producer = client();
      const { id } = await producer.enqueue(contract, { note: 'a' }, unique(undefined));
      await ended(id);
      expect((await producer.enqueue(contract, { note: 'b' }, unique(undefined))).id).to.equal(id);
      expect(notes()).to.deep.equal(['a']);
    });

    it('are unique until the first has ended, its retries included, with "until-done"', async () => {
      const { opened, open } = gate();
      const { contract, client, service } = scene('done', async (_, { attempt }) => {
        if (attempt === 1) throw new Error('not yet');
        await opened;
      });
      await service();
      const producer = client();
      const { id } = await producer.enqueue(contract, { note: 'a' }, unique('until-done'));
      await ended(id, 'retry');
      expect((await producer.enqueue(contract, { note: 'b' }, unique('until-done'))).id).to.equal(id);
      open();
      await ended(id);
      const next = await producer.enqueue(contract, { note: 'c' }, unique('until-done'));
      expect(next.id).not.to.equal(id);
      await ended(next.id);
      expect(notes()).to.deep.equal(['a', 'a', 'c', 'c']);
    });

    it('are free again when the first could not be enqueued', async () => {
      const { contract, client, waiting } = scene('failed');
      const failing = client();
      failing.use({ name: 'failing', publish: () => Promise.reject(new Error('no')) });
      await rejection(failing.enqueue(contract, { note: 'a' }, unique('until-done')));
      await client().enqueue(contract, { note: 'b' }, unique('until-done'));
      expect(await waiting()).to.equal(1);
    });

    it('run with the newest payload of all producers, in every attempt, with "replace"', async () => {
      const { contract, client, service, waiting } = scene('replace', (_, { attempt }) => {
        if (attempt === 1) throw new Error('not yet');
      });
      const clients = [client(), client()];
      const ids = new Set<string>();
      for (let i = 0; i < 10; i++) {
        const by: JobClient = clients[i % 2]!;
        ids.add((await by.enqueue(contract, { note: `${i}` }, unique('replace'))).id);
      }
      expect(ids.size).to.equal(1);
      expect(await waiting()).to.equal(1);
      const id = [...ids][0]!;
      await service();
      await ended(id);
      expect(notes()).to.deep.equal(['9', '9']);
      const next = await clients[0]!.enqueue(contract, { note: 'next' }, unique('replace'));
      expect(next.id).not.to.equal(id);
      await ended(next.id);
    });

    it('become another job once the first has started, with "replace"', async () => {
      const { opened, open } = gate();
      const { contract, client, service } = scene('started', ({ note }) =>
        note === 'a' ? opened : undefined,
      );
      await service();
      const producer = client();
      const { id } = await producer.enqueue(contract, { note: 'a' }, unique('replace'));
      await stage.signals.first({ what: 'ran' });
      const next = await producer.enqueue(contract, { note: 'b' }, unique('replace'));
      expect(next.id).not.to.equal(id);
      await ended(next.id);
      open();
      await ended(id);
      expect(notes()).to.deep.equal(['a', 'b']);
    });

    it('run once with the last payload, with "keep-last"', async () => {
      const { contract, client, service } = scene('keep-last');
      const producer = client();
      const first = await producer.enqueue(contract, { note: 'a' }, unique('keep-last'));
      const last = await producer.enqueue(contract, { note: 'b' }, { delay: '1s', ...unique('keep-last') });
      expect(last.id).to.equal(first.id);
      await service();
      await ended(first.id);
      expect(notes()).to.deep.equal(['b']);
    });

    it('are put off until the delay of the last is over, with "keep-last"', async () => {
      const { contract, client, service } = scene('put-off');
      const producer = client();
      const { id } = await producer.enqueue(contract, { note: 'a' }, unique('keep-last'));
      await producer.enqueue(contract, { note: 'b' }, { delay: '9m', ...unique('keep-last') });
      await service();
      const { detail } = (await ended(id, 'snooze'))[0]!;
      expect((detail as { inMs: number }).inMs).to.be.within(60_000, 9 * 60_000);
      expect(notes()).to.deep.equal([]);
    });

    it('can be enqueued by handlers', async () => {
      const child = scene('child');
      const parent = scene('parent', (_, job) =>
        job.enqueue(child.contract, { note: 'c' }, { unique: { key: ({ note }) => note, for: '1m' } }),
      );
      await parent.service();
      const { id } = await child.client().enqueue(child.contract, { note: 'c' }, unique(undefined, 'c'));
      const by = await parent.client().enqueue(parent.contract, { note: 'p' });
      const { detail } = (await ended(by.id))[0]!;
      expect(detail).to.deep.equal({ kind: 'completed', result: { id } });
      expect(await child.waiting()).to.equal(1);
    });

    it('snooze in a service that has no store, rather than run with an old payload', async () => {
      const { contract, client } = scene('no-store');
      await stage.start({ handlers: [working(contract, () => undefined)] });
      const { id } = await client().enqueue(contract, { note: 'a' }, unique('replace'));
      await ended(id, 'snooze');
    });
  });

  it('are refused with what is missing where no store is configured', async () => {
    const contract = lone('unique-unset');
    const enqueued = stage.client.enqueue(contract, { note: 'a' }, { unique: { key: 'k', for: '1m' } });
    expect(await rejection(enqueued)).to.include({ code: 'JR_STORE_UNSET' });
  });

  it('are refused with what is wrong with their options', async () => {
    const contract = lone('unique-wrong');
    const client = stage.newClient({ store: 'sqlite:never-opened.sqlite' });
    const refused = async (unique: object, options = {}) =>
      (await rejection(
        client.enqueue(contract, { note: 'a' }, { ...options, unique: unique as never }),
      )) as Error & {
        code: string;
      };
    const ok = { key: 'k', for: '1m' };
    expect((await refused({ ...ok, on: 'sometimes' })).message).to.contain('"until-done"');
    expect(await refused({ ...ok, every: 1 })).to.include({ code: 'JR_OPTION_INVALID' });
    expect(await refused({ key: 'k' })).to.include({ code: 'JR_OPTION_INVALID' });
    expect(await refused({ ...ok, key: '' })).to.include({ code: 'JR_KEY_INVALID' });
    expect(await refused({ ...ok, key: 'k'.repeat(256) })).to.include({ code: 'JR_KEY_INVALID' });
    expect(
      await refused({
        ...ok,
        key: () => {
          throw new Error('no');
        },
      }),
    ).to.include({ code: 'JR_KEY_INVALID' });
    const late = await refused({ ...ok, on: 'replace' }, { delay: '2m' });
    expect(late.message).to.contain('for of unique');
    const notHere = { unique: ok } as object;
    expect(await rejection(client.enqueueIn({} as never, contract, { note: 'a' }, notHere))).to.include({
      code: 'JR_OPTION_INVALID',
    });
  });
});
