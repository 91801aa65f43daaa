import { expect } from 'chai';
import { AmqpBroker } from '../../src/adapters/amqp/amqp-broker.js';
import { until } from '../contract/recorder.js';
import { numbered, Scene } from '../contract/scene.js';
import { useStage } from '../flow/stage.js';
import { TcpProxy } from './tcp-proxy.js';

describe('what was settled when a process dies', () => {
  const stage = useStage();
  let proxy: TcpProxy;
  let scene: Scene;

  beforeEach(async () => {
    proxy = await TcpProxy.before(stage.rail.url);
    stage.atEnd(() => proxy.close());
    scene = await Scene.open(() => new AmqpBroker({ url: stage.rail.url }));
    stage.atEnd(() => scene.end());
  });

  /** A broker whose connections are cut when it has called `settled`; nothing that it still had to say is heard. */
  async function dying(): Promise<{ broker: AmqpBroker; die: () => Promise<void> }> {
    const broker = new AmqpBroker({ url: proxy.through(stage.rail.url) });
    stage.atEnd(() => broker.close());
    await broker.connect();
    const die = async () => {
      await broker.settled();
      proxy.refuse();
      proxy.cut();
    };
    return { broker, die };
  }

  for (const type of ['quorum', 'classic'] as const) {
    it(`does not come back from a ${type} queue, though each ack is ahead of a delivery that is held`, async () => {
      const queue = await scene.queue('q', { 'x-queue-type': type });
      await scene.send(queue, numbered(400));
      const { broker, die } = await dying();
      const { deliveries } = await scene.consume([queue], { prefetch: 400, broker });
      const held = await deliveries.next(400);
      for (const [index, delivery] of held.entries()) if (index % 2 === 1) delivery.ack();
      await die();
      expect(await scene.depthWithoutConsumers(queue)).to.equal(200);
    });
  }

  it('does not come back when it was taken without a consumer', async () => {
    const queue = await scene.queue('q');
    await scene.send(queue, ['acked', 'held']);
    const { broker, die } = await dying();
    const acked = await broker.get(queue);
    await broker.get(queue);
    acked!.ack();
    await die();
    await until(
      () => scene.broker.depth(queue),
      (depth) => depth!.messages > 0,
    );
    expect(await scene.drain(queue)).to.deep.equal(['held']);
  });
});
