import { expect } from 'chai';
import { AmqpBroker } from '../../src/adapters/amqp/amqp-broker.js';
import { Scene, text } from '../contract/scene.js';
import { useStage } from '../flow/stage.js';
import { TcpProxy } from './tcp-proxy.js';

/** A cluster forgets it at times; here the network keeps back what the broker says. */
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
