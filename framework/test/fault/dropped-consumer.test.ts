import { expect } from 'chai';
import { AmqpBroker } from '../../src/adapters/amqp/amqp-broker.js';
import { Scene, text } from '../contract/scene.js';
import { laneQueue } from '../../src/model/topology.js';
import { useStage } from '../flow/stage.js';
import { lone, working } from '../flow/working.js';
import { TcpProxy } from './tcp-proxy.js';

/** The broker forgets it at times; in some of these the network keeps back what it says. */
describe('a consumer that the broker dropped without a word', () => {
  const stage = useStage();
  let proxy: TcpProxy;
  let scene: Scene;

  beforeEach(async () => {
    proxy = await TcpProxy.before(stage.rail.url);
    stage.atEnd(() => proxy.close());
    scene = await Scene.open(() => new AmqpBroker({ url: proxy.through(stage.rail.url) }));
    stage.atEnd(() => scene.end());
  });

  /** Deletes the queue, and lets the consumer hear nothing of it. */
  async function deleteUnheard(queue: string): Promise<void> {
    proxy.mute();
    stage.atEnd(() => Promise.resolve(proxy.allow()));
    const channel = await stage.channel();
    await channel.deleteQueue(queue);
    await stage.signals.when(() => proxy.swallowed > 0, 'the broker to say something');
  }

  it('is registered again on the queue, which is declared again', async () => {
    const queue = await scene.queue('q');
    const { deliveries, interruptions, ready } = await scene.consume([queue]);
    await ready.one();
    await deleteUnheard(queue);
    proxy.allow();
    expect((await interruptions.one()).message).to.include(queue);
    await ready.one();
    await scene.send(queue, ['after']);
    expect(text(await deliveries.one())).to.equal('after');
  });

  it('is registered again on a queue of the same name, once that has messages', async () => {
    const queue = await scene.queue('q');
    const { deliveries, ready } = await scene.consume([queue]);
    await ready.one();
    await deleteUnheard(queue);
    const channel = await stage.channel();
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    channel.sendToQueue(queue, Buffer.from('to nobody'), { persistent: true });
    proxy.allow();
    expect(text(await deliveries.one())).to.equal('to nobody');
  });

  it('because its queue was deleted and declared again at once is registered again, with nothing lost', async () => {
    const queue = await scene.queue('again');
    const { deliveries, ready } = await scene.consume([queue], { prefetch: 2, settle: (d) => d.ack() });
    await ready.one();
    await scene.send(queue, ['before']);
    await deliveries.one();
    const channel = await stage.channel();
    await channel.deleteQueue(queue);
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    // What fits into the prefetch is sent to the old consumer and dropped on the way; more than that shows.
    const after = ['1', '2', '3'];
    for (const body of after) channel.sendToQueue(queue, Buffer.from(body), { persistent: true });
    expect((await deliveries.next(3)).map(text).sort()).to.deep.equal(after);
  });

  it('because its queue was deleted hears of it before a producer declares the queue again', async () => {
    const contract = lone('deleted-busy');
    const redelivered: boolean[] = [];
    const service = stage.service({ handlers: [working(contract, () => undefined)] });
    service.use({
      name: 'redelivered',
      attempt: ({ message }, next) => (redelivered.push(message.redelivered), next()),
    });
    await service.start();
    await stage.client.enqueue(contract, { note: 'before' });
    await stage.signals.first({ what: 'ended' });
    await (await stage.channel()).deleteQueue(laneQueue(stage.prefix, contract.queue, 0));
    await Promise.all(['a', 'b', 'c'].map((note) => stage.client.enqueue(contract, { note })));
    await stage.signals.next(4, { what: 'ended', outcome: 'completed' });
    expect(redelivered).to.deep.equal([false, false, false, false]);
  });

  it('is told from one that is paused, or has nothing to do', async () => {
    const busy = await scene.queue('busy');
    const paused = await scene.queue('paused');
    const idle = await scene.queue('idle');
    const [witness, pausing, idling] = await Promise.all([busy, paused, idle].map((q) => scene.consume([q])));
    await pausing!.subscription.pause();
    await scene.send(paused, ['waits']);
    await deleteUnheard(busy);
    proxy.allow();
    await witness!.interruptions.one();
    expect([...pausing!.interruptions.all, ...idling!.interruptions.all]).to.deep.equal([]);
    await pausing!.subscription.resume();
    expect(text(await pausing!.deliveries.one())).to.equal('waits');
  });
});
