import { expect } from 'chai';
import { type Scene, text } from '../scene.js';

/** A consumed queue that someone deletes stands for every way to lose a consumer that both adapters know. */
export function interruption(scene: () => Scene): void {
  it('tells that the channel is gone, makes the deliveries stale, and comes back by itself', async () => {
    const queue = await scene().queue('q');
    const { subscription, deliveries, ready, interruptions } = await scene().consume([queue]);
    await ready.one();
    await scene().send(queue, ['a']);
    const stale = await deliveries.one();

    const other = await scene().another();
    await other.remove({
      exchanges: [],
      queues: [{ name: queue, arguments: { 'x-queue-type': 'quorum' } }],
      bindings: [],
    });
    expect((await interruptions.one()).message).to.include(queue);
    expect(stale.stale).to.equal(true);

    await ready.one();
    expect(subscription.ready).to.equal(true);
    await scene().send(queue, ['b']);
    const fresh = await deliveries.one();
    expect(text(fresh)).to.equal('b');

    stale.ack();
    stale.requeue();
    stale.reject();
    await subscription.close();
    expect(await scene().depthWithoutConsumers(queue)).to.equal(1);
    expect(interruptions.all).to.have.length(1);
  });

  it('does not come back after close', async () => {
    const queue = await scene().queue('q');
    const { subscription, ready } = await scene().consume([queue]);
    await subscription.close();
    await (
      await scene().another()
    ).remove({
      exchanges: [],
      queues: [{ name: queue, arguments: { 'x-queue-type': 'quorum' } }],
      bindings: [],
    });
    expect(await scene().broker.depth(queue)).to.equal(undefined);
    expect(ready.all).to.have.length(1);
  });

  it('does not declare again what its own broker removed', async () => {
    const kept = await scene().queue('kept');
    const gone = await scene().queue('gone');
    const { ready, interruptions } = await scene().consume([kept]);
    await ready.one();
    const only = (name: string) => ({
      exchanges: [],
      queues: [{ name, arguments: { 'x-queue-type': 'quorum' as const } }],
      bindings: [],
    });
    await scene().broker.remove(only(gone));
    await (await scene().another()).remove(only(kept));
    await interruptions.one();
    await ready.one();
    expect(await scene().broker.depth(gone)).to.equal(undefined);
  });
}
