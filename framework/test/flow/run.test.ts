import { expect } from 'chai';
import { z } from 'zod';
import { defineJob, defineQueue, Discard, Fatal, fixed, type JobContext, noRetry } from '../../src/index.js';
import { rejection } from '../contract/rejection.js';
import { useStage } from './stage.js';
import { gate, lone, working } from './working.js';

const asking = (name: string) =>
  defineJob(name, {
    queue: defineQueue(name),
    payload: z.object({ n: z.number() }),
    result: z.object({ square: z.number(), at: z.iso.datetime().transform((text) => new Date(text)) }),
  });

describe('client.run', () => {
  const stage = useStage();
  const at = '2026-11-27T10:00:00.000Z';
  const start = (
    contract: ReturnType<typeof asking>,
    work: (n: number, job: JobContext) => unknown,
    retry = noRetry,
  ) => stage.start({ handlers: [working(contract, ({ n }, job) => work(n, job), { retry })] });

  it('gives the result, as the schema of the contract makes it', async () => {
    const contract = asking('run-result');
    await start(contract, (n) => ({ square: n * n, at }));
    const result = await stage.client.run(contract, { n: 7 }, { within: '5s' });
    expect(result).to.deep.equal({ square: 49, at: new Date(at) });
  });

  it('gives each of many callers his own', async () => {
    const contract = asking('run-many');
    await start(contract, (n) => ({ square: n * n, at }));
    const clients = [stage.client, stage.newClient()];
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, n) => clients[n % 2]!.run(contract, { n }, { within: '5s' })),
    );
    expect(results.map(({ square }) => square)).to.deep.equal(Array.from({ length: 200 }, (_, n) => n * n));
  });

  it('gives the result of a job that was retried first', async () => {
    const contract = asking('run-retried');
    await start(
      contract,
      (n, { attempt }) => {
        if (attempt < 3) throw new Error('not yet');
        return { square: n * n, at };
      },
      fixed({ attempts: 3, every: '300ms' }),
    );
    expect(await stage.client.run(contract, { n: 2 }, { within: '7s' })).to.include({ square: 4 });
  });

  for (const [what, outcome, thrown, name, message] of [
    [
      'fails',
      'dead',
      () => new TypeError('amqp://me:secret@host is no number'),
      'TypeError',
      /\/\/\*\*\*@host is no/,
    ],
    ['is fatal', 'dead', () => new Fatal('no such thing'), 'Fatal', /no such thing/],
    ['is discarded', 'discarded', () => new Discard('not wanted'), 'Error', /not wanted/],
  ] as const) {
    // prettier-ignore
    it(`fails with the error, by name and message, of a job that ${what}`, async () => {
      const contract = asking(`run-${what.replaceAll(' ', '-')}`);
      await start(contract, () => {
        throw thrown();
      });
      const error = await rejection(stage.client.run(contract, { n: 1 }, { within: '5s', id: `job-${what.length}` }));
      expect(error).to.include({ code: 'JR_JOB_FAILED', name, outcome, job: `job-${what.length}` });
      expect(error.message).to.match(message);
    });
  }

  it('fails when the handler returns something else than the contract says', async () => {
    const contract = asking('run-odd');
    await start(contract, () => ({ square: 'four' }));
    const error = await rejection(stage.client.run(contract, { n: 2 }, { within: '5s' }));
    expect(error.message).to.match(/result of "run-odd" does not fit/);
  });

  it('waits no longer than asked to, and the job goes on without it', async () => {
    const contract = asking('run-late');
    const { opened, open } = gate();
    await start(contract, async (n) => {
      await opened;
      return { square: n * n, at };
    });
    const error = await rejection(stage.client.run(contract, { n: 2 }, { within: '150ms' }));
    expect(error).to.include({ code: 'JR_RESULT_LATE' });
    open();
    await stage.signals.first({ what: 'ended', contract: contract.name, outcome: 'completed' });
  });

  it('leaves the job alone when its client is closed meanwhile, and answers to nobody', async () => {
    const contract = asking('run-gone');
    const { opened, open } = gate();
    await start(contract, async (n) => {
      stage.signals.tell('running');
      await opened;
      return { square: n, at };
    });
    const client = stage.newClient();
    const waited = rejection(client.run(contract, { n: 2 }, { within: '5s' }));
    await stage.signals.first({ what: 'running' });
    await client.close();
    expect(await waited).to.include({ code: 'JR_BROKER_UNREACHABLE' });
    open();
    await stage.signals.first({ what: 'ended', contract: contract.name, outcome: 'completed' });
  });

  it('refuses a contract without a result, a delay, and a bad payload', async () => {
    const none = lone('run-none');
    const code = async (work: Promise<unknown>) => ((await rejection(work)) as Error & { code: string }).code;
    expect(await code(stage.client.run(none, { note: 'x' }, { within: '1s' }))).to.equal('JR_RESULT_INVALID');
    const contract = asking('run-refused');
    const delayed = { within: '1s', delay: '1s' } as { within: '1s' };
    expect(await code(stage.client.run(contract, { n: 1 }, delayed))).to.equal('JR_OPTION_INVALID');
    expect(await code(stage.client.run(contract, { n: 'x' as never }, { within: '1s' }))).to.equal(
      'JR_PAYLOAD_INVALID',
    );
  });
});
