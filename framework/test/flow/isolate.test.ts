import { expect } from 'chai';
import { getPriority } from 'node:os';
import { threadId } from 'node:worker_threads';
import {
  AttemptTimeout,
  type HandlerClass,
  IsolateCrash,
  Job,
  type JobService,
  type JobServiceOptions,
} from '../../src/index.js';
import type { Outcome } from '../../src/model/outcome.js';
import { Child, InProcess, InThread, ProcessHandler, ThreadHandler } from './fixtures/isolated.js';
import { Main, MainHandler } from './fixtures/isolated-main.js';
import { useStage } from './stage.js';
import { lone, working } from './working.js';

describe('isolate', () => {
  const stage = useStage();

  /** A service whose progress is told as signs. */
  async function start(
    handlers: HandlerClass[],
    options: Partial<JobServiceOptions> = {},
  ): Promise<JobService> {
    const service = stage.service({ handlers, ...options });
    service.use({
      name: 'progress',
      progress: ({ job }, fraction, note) => stage.signals.tell('progress', { id: job.id, fraction, note }),
    });
    await service.start();
    return service;
  }

  async function outcome(id: string, attempt = 1): Promise<Outcome> {
    return (await stage.signals.first({ what: 'ended', id, attempt })).detail as Outcome;
  }

  /** At the second attempt, or the third where the machine is so busy that a new isolate takes longer than the timeout. */
  async function completed(id: string): Promise<void> {
    await stage.signals.first({ what: 'ended', id, outcome: 'completed' });
  }

  function errorOf(ended: Outcome): Error & { code?: string } {
    expect(ended).to.have.property('error').that.is.instanceOf(Error);
    return (ended as { error: Error }).error;
  }

  const kinds = [
    { kind: 'thread', contract: InThread, handler: ThreadHandler },
    { kind: 'process', contract: InProcess, handler: ProcessHandler },
  ] as const;
  for (const { kind, contract, handler } of kinds) {
    describe(`in a ${kind}`, () => {
      it('runs there, built with its dependencies; payload, job, progress, log and result cross the border', async () => {
        await start([handler]);
        const when = '2026-11-27T10:00:00.000Z';
        const { id } = await stage.client.enqueue(
          contract,
          { what: 'tell', when },
          { headers: { tenant: 'a' } },
        );
        const { result } = (await outcome(id)) as { result: Record<string, unknown> };
        expect(result).to.deep.include({ id, when: new Date(when), result: new Map([['a', 1]]) });
        expect(result['headers']).to.deep.equal({ tenant: 'a' });
        expect(result['at']).to.be.instanceOf(Date);
        const { detail } = await stage.signals.first({ what: 'progress' });
        expect(detail).to.include({ id, fraction: 0.5 });
        const [pid, thread] = (detail as { note: string }).note.split('/').map(Number);
        if (kind === 'thread') expect(pid).to.equal(process.pid);
        else expect(pid).to.not.equal(process.pid);
        expect(`${pid}/${thread}`).to.not.equal(`${process.pid}/${threadId}`);
        if (kind === 'process') expect(getPriority(pid)).to.equal(10);
        const line = await stage.signals.first(
          ({ what, detail }) => what === 'logged' && (detail as { msg: string }).msg === `at work on ${id}`,
        );
        expect(line.detail).to.include({ job: id, when });
      });

      it('enqueues child jobs, checked against their contract', async () => {
        const child = working(Child, ({ note }, job) => {
          stage.signals.tell('child', { note, id: job.id, of: job.causationId });
        });
        await start([handler, child]);
        const { id } = await stage.client.enqueue(contract, { what: 'child' });
        const { detail } = await stage.signals.first({ what: 'child' });
        expect(detail).to.include({ note: 'child', of: id });
        const { result } = (await outcome(id)) as { result: Record<string, unknown> };
        expect(result).to.deep.equal({ refused: 'JR_PAYLOAD_INVALID', child: (detail as { id: string }).id });
      });

      it('hears of its timeout by job.signal, and the attempt fails with AttemptTimeout', async () => {
        await start([handler]);
        for (const what of kind === 'thread' ? ['wait', 'heed'] : ['wait']) {
          const { id } = await stage.client.enqueue(contract, { what });
          expect(errorOf(await outcome(id))).to.be.instanceOf(AttemptTimeout);
          await stage.signals.first(
            ({ what: sign, detail }) =>
              sign === 'progress' && (detail as { note: string }).note === 'JR_ATTEMPT_TIMEOUT',
          );
          await completed(id);
        }
      });

      it('is killed when it goes on after its timeout, and the next attempt has a new one', async () => {
        await start([handler]);
        const { id } = await stage.client.enqueue(contract, { what: 'spin' });
        expect(errorOf(await outcome(id))).to.be.instanceOf(AttemptTimeout);
        await completed(id);
      });

      it('fails its attempt, not the service, when it is out of memory or exits', async function () {
        this.timeout(20_000);
        await start([handler]);
        for (const [what, why] of [
          ['exit', /exited with code:? 3/],
          ['hog', kind === 'thread' ? /memory limit/ : /ended by SIG/],
        ] as const) {
          const { id } = await stage.client.enqueue(contract, { what });
          const error = errorOf(await outcome(id));
          // Where the heap fills slowly the timeout comes first.
          if (what === 'hog' && error instanceof AttemptTimeout) continue;
          expect(error).to.be.instanceOf(IsolateCrash).with.property('code', 'JR_ISOLATE_CRASHED');
          expect(error.message).to.match(why).and.include(`"${contract.name}"`).and.include('now 64');
          await completed(id);
        }
      });

      it('ends an attempt by what it throws, as anywhere', async () => {
        await start([handler]);
        const ended = async (what: string) => {
          const { id } = await stage.client.enqueue(contract, { what });
          return outcome(id);
        };
        const thrown = errorOf(await ended('throw'));
        expect(thrown).to.include({ name: 'RangeError', message: 'out of range', code: 'E_OWN' });
        expect(thrown.cause).to.have.property('message', 'deeper');
        expect(thrown.stack).to.include('fixtures/isolated');
        expect(await ended('retry')).to.include({ kind: 'retry', inMs: 5 });
        expect(await ended('snooze')).to.include({ kind: 'snooze', inMs: 3_600_000 });
        expect(await ended('discard')).to.deep.equal({ kind: 'discard', reason: 'not wanted' });
        const dead = await ended('fatal');
        expect(dead).to.include({ kind: 'dead', reason: 'fatal' });
        expect(errorOf(dead)).to.include({ name: 'TypeError', message: 'never' });
        expect(await ended('function')).to.deep.equal({ kind: 'completed', result: undefined });
      });

      it('computes while jobs of another queue of the service go on, and goes back when the service stops', async () => {
        const quick = lone(`isolate-beside-${kind}`);
        const beside = working(quick, () => undefined);
        const service = await start([handler, beside], { gracePeriod: '50ms' });
        const { id } = await stage.client.enqueue(contract, { what: 'spin' });
        await stage.signals.first({ what: 'progress' });
        for (let i = 0; i < 20; i++) await stage.client.enqueue(quick, { note: '' });
        await stage.signals.next(20, { what: 'ended', contract: quick.name, outcome: 'completed' });
        expect(stage.signals.of({ what: 'ended', id })).to.deep.equal([]);
        await service.stop();
        expect(await outcome(id)).to.have.property('kind', 'released');
      });
    });
  }

  it('has as many slots as isolates, where all handlers of a queue have them and their number is not given', async () => {
    const free = await start([ThreadHandler]);
    const { concurrency } = free.load[InThread.queue.name]!;
    await free.stop();
    const given = await start([ThreadHandler], { queues: { [InThread.queue.name]: { concurrency: 7 } } });
    expect(concurrency).to.be.at.most(100);
    expect(given.load[InThread.queue.name]!.concurrency).to.equal(7);
  });

  describe('refuses at start', () => {
    async function refusal(handler: HandlerClass): Promise<Error & { code?: string }> {
      const error = await start([handler]).then(
        () => undefined,
        (thrown: unknown) => thrown as Error,
      );
      expect(error).to.be.instanceOf(Error);
      return error!;
    }

    for (const kind of ['thread', 'process'] as const) {
      it(`a class that the file does not export, in a ${kind}`, async () => {
        const handler = working(lone(`isolate-hidden-${kind}`), () => undefined, { isolate: kind });
        const error = await refusal(handler);
        expect(error).to.have.property('code', 'JR_CONFIG_INVALID');
        expect(error.message).to.match(/Working cannot be loaded in a (thread|process)/);
        expect(error.message).to.match(/working\.js exports no class .*"isolate-hidden-/);
      });
    }

    it('a module that cannot be imported', async () => {
      class Missing {
        handle(): void {
          // Never called.
        }
      }
      const module = new URL('./not-there.js', import.meta.url).href;
      Job(lone('isolate-missing'), { isolate: { in: 'thread', module } })(Missing);
      expect((await refusal(Missing)).message).to.match(
        /Missing cannot be loaded in a thread: .*not-there\.js/,
      );
    });

    it('a module that starts a service when it is imported', async () => {
      stage.owns(Main);
      process.env['ISOLATED_MAIN'] = 'yes';
      try {
        const { message } = await refusal(MainHandler);
        expect(message).to.match(
          /Service "main" was started in an isolate, by importing .*isolated-main\.js/,
        );
      } finally {
        delete process.env['ISOLATED_MAIN'];
      }
    });

    it('options that cannot be', async () => {
      const faults: [object | string, RegExp][] = [
        ['worker', /isolate of @Job.* is "worker"\. Use "thread" or "process"/],
        [{ in: 'thread', memory: 5 }, /unknown option "memory"/],
        [{ in: 'thread', memoryMb: 1 }, /memoryMb of isolate .* is 1/],
        [{ in: 'thread', nice: 5 }, /isolate of @Job.* has the option "nice"\. Only a process/],
        [{ in: 'process', nice: -1 }, /nice of isolate .* is -1/],
        [{ in: 'thread', module: 'here' }, /module of isolate .* is "here"\. .*import\.meta\.url/],
      ];
      for (const [isolate, expected] of faults) {
        const handler = working(lone('isolate-options'), () => undefined, { isolate: isolate as never });
        const fault = await start([handler]).catch((error: unknown) => error);
        expect(fault).to.have.property('message').that.matches(expected);
      }
    });
  });
});
