import { expect } from 'chai';
import { once } from 'node:events';
import type { HandlerClass } from '../../src/index.js';
import { Shutdown } from '../../src/index.js';
import { header } from '../../src/model/envelope.js';
import { laneQueue } from '../../src/model/topology.js';
import { startChild } from './child.js';
import { Drained } from './fixtures/drained-contract.js';
import { useStage } from './stage.js';
import { gate, lone, working } from './working.js';

describe('a service that stops', () => {
  const stage = useStage();

  /** Runs what is left on another service and gives what its attempts saw. */
  async function runRest(contract: ReturnType<typeof lone>, count: number) {
    const rest: { note: string; attempt: number; failed: unknown }[] = [];
    const handler: HandlerClass = working(contract, ({ note }, job) => {
      rest.push({ note, attempt: job.attempt, failed: job.headers[header.attempts] });
    });
    const before = stage.signals.of({ what: 'ended', outcome: 'completed' }).length;
    await stage.start({
      handlers: [handler],
      queues: { [contract.queue.name]: { concurrency: 1 } },
      name: 'rest',
    });
    await stage.signals.next(before + count, { what: 'ended', outcome: 'completed' });
    return rest;
  }

  it('lets running jobs finish within the grace period, and takes nothing new', async () => {
    const contract = lone('stop-drain');
    const { opened, open } = gate();
    const handler = working(contract, (_, { signal }) => {
      signal.addEventListener('abort', () => stage.signals.tell('aborted'));
      return opened;
    });
    const service = await stage.start({ handlers: [handler] });
    const { id } = await stage.client.enqueue(contract, { note: 'running' });
    await stage.signals.first({ what: 'began' });
    const stopping = service.stop();
    expect(service.state).to.equal('stopping');
    await stage.client.enqueue(contract, { note: 'too late' });
    open();
    await stopping;
    expect(service.state).to.equal('stopped');
    expect(stage.signals.of({ what: 'ended' })).to.have.length(1);
    expect(stage.signals.of({ what: 'ended', id, outcome: 'completed' })).to.have.length(1);
    expect(stage.signals.of({ what: 'aborted' })).to.have.length(0);
    expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(1);
    expect(await runRest(contract, 1)).to.deep.equal([{ note: 'too late', attempt: 1, failed: undefined }]);
  });

  it('gives back what it had not started, untouched and in order, also what was held until due', async () => {
    const contract = lone('stop-untouched');
    const { opened, open } = gate();
    const handler = working(contract, () => opened, { timeout: '10s' });
    const queues = { [contract.queue.name]: { concurrency: 1, prefetch: 10 } };
    const service = await stage.start({ handlers: [handler], queues });
    await stage.client.enqueueMany(
      contract,
      ['running', 'a', 'b', 'c'].map((note) => ({ note })),
    );
    await stage.client.enqueue(contract, { note: 'delayed' }, { delay: 400 });
    await stage.signals.when(() => service.load['stop-untouched']!.held === 4, 'four jobs in hand');
    const stopping = service.stop();
    open();
    await stopping;
    expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(4);
    const rest = await runRest(contract, 4);
    expect(rest.map(({ note }) => note)).to.deep.equal(['a', 'b', 'c', 'delayed']);
    expect(rest.map(({ attempt }) => attempt)).to.deep.equal([1, 1, 1, 1]);
  });

  it('aborts with Shutdown what runs beyond the grace period, and gives its job back without an attempt counted', async () => {
    const contract = lone('stop-aborted');
    const handler = working(contract, async (_, { signal }) => {
      await once(signal, 'abort');
      stage.signals.tell('reason', signal.reason);
      throw new Error('stopped halfway');
    });
    const service = await stage.start({ handlers: [handler], gracePeriod: '30ms' });
    await stage.client.enqueue(contract, { note: 'slow' });
    await stage.signals.first({ what: 'began' });
    await service.stop();
    expect((await stage.signals.first({ what: 'reason' })).detail).to.be.instanceOf(Shutdown);
    await stage.signals.first({ what: 'ended', outcome: 'released' });
    expect(await runRest(contract, 1)).to.deep.equal([{ note: 'slow', attempt: 1, failed: undefined }]);
  });

  it('ends although a handler ignores that, and its job runs again elsewhere', async () => {
    const contract = lone('stop-deaf');
    const { opened, open } = gate();
    const service = await stage.start({ handlers: [working(contract, () => opened)], gracePeriod: '30ms' });
    await stage.client.enqueue(contract, { note: 'deaf' });
    await stage.signals.first({ what: 'began' });
    await service.stop();
    expect(await runRest(contract, 1)).to.deep.equal([{ note: 'deaf', attempt: 1, failed: undefined }]);
    open();
  });

  it('may be told twice, and before it was started', async () => {
    const contract = lone('stop-twice');
    const handlers = [working(contract, () => undefined)];
    const service = await stage.start({ handlers });
    await Promise.all([service.stop(), service.stop()]);
    expect(service.state).to.equal('stopped');
    const unstarted = stage.service({ handlers });
    await unstarted.stop();
    expect(unstarted.state).to.equal('stopped');
  });

  describe('by a signal', () => {
    const script = new URL('fixtures/drained.js', import.meta.url);

    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      it(`${signal} drains, and the process exits with 0 by itself`, async () => {
        const child = startChild(stage, script, { ...stage.env, GRACE: '10s' });
        await child.told.one();
        await stage.client.enqueueMany(Drained, [{ note: 'running' }, { note: 'waiting' }]);
        expect(await child.told.one()).to.equal('began running');
        child.process.kill(signal);
        expect(await child.told.one()).to.equal(signal);
        child.process.send('finish');
        expect(await child.told.next(2)).to.deep.equal(['ends running', 'stopped']);
        expect(await child.exited).to.equal(0);
        expect(child.output.stderr).to.equal('');
        expect((await runRest(Drained, 1)).map(({ note }) => note)).to.deep.equal(['waiting']);
      });
    }

    it('a second signal ends the process at once with 1, and its job runs again', async () => {
      const child = startChild(stage, script, { ...stage.env, GRACE: '60s' });
      await child.told.one();
      await stage.client.enqueue(Drained, { note: 'running' });
      await child.told.one();
      child.process.kill('SIGTERM');
      expect(await child.told.one()).to.equal('SIGTERM');
      child.process.kill('SIGTERM');
      expect(await child.exited).to.equal(1);
      expect((await runRest(Drained, 1)).map(({ note }) => note)).to.deep.equal(['running']);
    });

    it('a job beyond the grace period is aborted, and the process still exits with 0', async () => {
      const child = startChild(stage, script, { ...stage.env, GRACE: '50ms' });
      await child.told.one();
      await stage.client.enqueue(Drained, { note: 'until aborted' });
      expect(await child.told.one()).to.equal('began until aborted');
      child.process.kill('SIGTERM');
      expect(await child.told.next(3)).to.deep.equal(['SIGTERM', 'ends until aborted', 'stopped']);
      expect(await child.exited).to.equal(0);
    });
  });
});
