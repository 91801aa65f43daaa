import { expect } from 'chai';
import { rejection } from '../contract/rejection.js';
import { useStage } from './stage.js';
import { gate, lone, working } from './working.js';

describe('client.cancel', () => {
  const stage = useStage();
  const cancelled = (id: string) => stage.signals.first({ what: 'ended', id, outcome: 'cancelled' });

  it('ends a waiting job when its turn comes, in a service that is started later, and leaves others alone', async () => {
    const contract = lone('cancel-waiting');
    stage.owns(contract);
    const doomed = await stage.client.enqueue(contract, { note: 'doomed' });
    const other = await stage.client.enqueue(contract, { note: 'other' });
    await stage.client.cancel(doomed.id, { reason: 'ordered twice' });
    await stage.start({ handlers: [working(contract, ({ note }) => stage.signals.tell('ran', note))] });
    const { detail } = await cancelled(doomed.id);
    expect(detail).to.deep.equal({ kind: 'cancelled', reason: 'ordered twice', ran: false });
    await stage.signals.first({ what: 'ended', id: other.id, outcome: 'completed' });
    expect(stage.signals.of({ what: 'ran' }).map(({ detail }) => detail)).to.deep.equal(['other']);
  });

  it('ends a delayed job, and one that waits for its retry', async () => {
    const contract = lone('cancel-delayed');
    const handler = working(contract, () => {
      throw new Error('always');
    });
    await stage.start({ handlers: [handler] });
    const delayed = await stage.client.enqueue(contract, { note: 'a' }, { delay: '2s' });
    await stage.client.cancel(delayed.id);
    await cancelled(delayed.id);
    const retried = await stage.client.enqueue(contract, { note: 'b' });
    await stage.signals.first({ what: 'ended', id: retried.id, outcome: 'retry' });
    await stage.client.cancel(retried.id);
    await cancelled(retried.id);
    expect(stage.signals.of({ what: 'ended', id: delayed.id })).to.have.length(1);
  });

  it('aborts the signal of a running job, in another process than the one that cancels', async () => {
    const contract = lone('cancel-running');
    const { opened, open } = gate();
    const handler = working(contract, async (_, job) => {
      job.signal.addEventListener('abort', open);
      stage.signals.tell('running');
      await opened;
      throw job.signal.reason;
    });
    await stage.start({ handlers: [handler] });
    const { id } = await stage.client.enqueue(contract, { note: 'a' });
    await stage.signals.first({ what: 'running' });
    await stage.newClient().cancel(id);
    await cancelled(id);
  });

  it('says nothing of a job that does not exist, and refuses what is no id', async () => {
    await stage.client.cancel('no-such-job');
    expect(await rejection(stage.client.cancel('not an id'))).to.include({ code: 'JR_OPTION_INVALID' });
  });
});
