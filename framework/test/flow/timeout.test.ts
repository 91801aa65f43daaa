import { expect } from 'chai';
import { once } from 'node:events';
import { AttemptTimeout, fixed, noRetry } from '../../src/index.js';
import { header } from '../../src/model/envelope.js';
import { useStage } from './stage.js';
import { gate, lone, working } from './working.js';

describe('the timeout of a handler', () => {
  const stage = useStage();

  it('aborts job.signal, and the attempt fails with AttemptTimeout whatever the handler throws then', async () => {
    const contract = lone('timeout-heeded');
    const handler = working(
      contract,
      async (_, { signal, attempt }) => {
        if (attempt === 2) return;
        await once(signal, 'abort');
        stage.signals.tell('reason', signal.reason);
        throw new Error('aborted while reading');
      },
      { timeout: '60ms', retry: fixed({ attempts: 2, every: 1 }) },
    );
    await stage.start({ handlers: [handler] });
    const { id } = await stage.client.enqueue(contract, { note: '' });
    const [first] = await stage.signals.next(2, { what: 'ended', id });
    expect(first!.detail).to.have.property('kind', 'retry');
    expect(first!.detail).to.have.property('error').that.is.instanceOf(AttemptTimeout);
    const { detail: reason } = await stage.signals.first({ what: 'reason' });
    expect(reason).to.have.property('code', 'JR_ATTEMPT_TIMEOUT');
    expect((reason as Error).message).to.match(/"timeout-heeded" took longer than its timeout of 60 ms/);
    await stage.signals.first({ what: 'ended', id, attempt: 2, outcome: 'completed' });
  });

  it('leaves a handler alone that completes after all', async () => {
    const contract = lone('timeout-completed');
    const handler = working(contract, (_, { signal }) => once(signal, 'abort'), { timeout: '30ms' });
    await stage.start({ handlers: [handler] });
    await stage.client.enqueue(contract, { note: '' });
    await stage.signals.first({ what: 'ended', outcome: 'completed' });
  });

  it('of a handler that ignores it ends the attempt after abandonAfter, and its slot is free', async () => {
    const contract = lone('timeout-deaf');
    const { opened, open } = gate();
    const handler = working(
      contract,
      async ({ note }) => {
        if (note === 'deaf') await opened;
      },
      { timeout: '40ms', retry: noRetry },
    );
    const dead = await stage.deadLetters(contract);
    const service = await stage.start({
      handlers: [handler],
      queues: { [contract.queue.name]: { concurrency: 1 } },
      abandonAfter: '50ms',
    });
    const { id } = await stage.client.enqueue(contract, { note: 'deaf' });
    await stage.client.enqueue(contract, { note: 'next' });
    await stage.signals.first({ what: 'ended', id, outcome: 'dead' });
    await stage.signals.first({ what: 'ended', outcome: 'completed' });
    await stage.signals.when(() => service.load[contract.queue.name]!.running === 0, 'the slot to be free');
    await stage.signals.first(
      ({ what, detail }) =>
        what === 'logged' && /did not heed job\.signal within 50 ms/.test(messageOf(detail)),
    );
    expect((await dead.one()).properties.headers[header.errorName]).to.equal('AttemptTimeout');
    open();
  });

  it('counts from the start of each attempt of its own', async () => {
    const contract = lone('timeout-each');
    const handler = working(
      contract,
      async ({ note }, { signal }) => {
        if (note === 'quick') return;
        await once(signal, 'abort');
        stage.signals.tell('aborted', note);
      },
      { timeout: '50ms' },
    );
    await stage.start({ handlers: [handler] });
    for (const note of ['slow 1', 'quick', 'slow 2', 'quick', 'slow 3']) {
      await stage.client.enqueue(contract, { note });
    }
    const aborted = await stage.signals.next(3, { what: 'aborted' });
    expect(aborted.map(({ detail }) => detail)).to.deep.equal(['slow 1', 'slow 2', 'slow 3']);
    await stage.signals.next(5, { what: 'ended', outcome: 'completed' });
  });
});

function messageOf(line: unknown): string {
  return (line as { msg: string }).msg;
}
