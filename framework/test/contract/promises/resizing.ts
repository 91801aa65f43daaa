import { expect } from 'chai';
import type { Delivery } from '../../../src/ports/broker.js';
import { until } from '../recorder.js';
import { numbered, type Scene, texts } from '../scene.js';

export function resizing(scene: () => Scene): void {
  it('holds as many as the larger prefetch allows, once what was held before is settled', async () => {
    const queue = await scene().queue('q');
    await scene().send(queue, numbered(12));
    const { subscription, deliveries } = await scene().consume([queue], { prefetch: 2 });
    const first = await deliveries.next(2);
    await subscription.resize(5);
    first.forEach(ack);
    await deliveries.next(5);
    await left(queue, 5);
    await oneConsumer(queue);
  });

  it('gives nothing back when it shrinks, and then holds no more than the smaller prefetch', async () => {
    const queue = await scene().queue('q');
    await scene().send(queue, numbered(20));
    const { subscription, deliveries } = await scene().consume([queue], { prefetch: 10 });
    const first = await deliveries.next(10);
    await subscription.resize(2);
    expect(first.some(({ stale }) => stale)).to.equal(false);
    first.forEach(ack);
    await deliveries.next(2);
    await left(queue, 8);
    await subscription.close();
    expect(await scene().depthWithoutConsumers(queue)).to.equal(10);
  });

  it('resizes two queues twice in a row while messages flow, and brings each message once', async () => {
    const queues = [await scene().queue('p'), await scene().queue('q')];
    let last: Promise<unknown> = Promise.resolve();
    let seen = 0;
    const { subscription, deliveries } = await scene().consume(queues, {
      prefetch: 3,
      settle(delivery) {
        setImmediate(() => delivery.ack());
        if (++seen % 50 !== 0) return;
        void subscription.resize(20);
        last = subscription.resize(seen % 100 === 0 ? 2 : 40);
      },
    });
    await Promise.all(queues.map((queue) => scene().send(queue, numbered(400))));
    const all = await deliveries.next(800);
    await last;
    for (const queue of queues) {
      const own = all.filter((delivery) => delivery.queue === queue);
      expect(texts(own)).to.deep.equal(numbered(400));
      await oneConsumer(queue);
    }
    expect(all.some(({ redelivered }) => redelivered)).to.equal(false);
    await subscription.close();
    for (const queue of queues) expect(await scene().depthWithoutConsumers(queue)).to.equal(0);
  });

  it('keeps the last prefetch over a pause, and on the channel after a lost one', async () => {
    const queue = await scene().queue('q');
    const { subscription, deliveries, ready } = await scene().consume([queue], { prefetch: 9 });
    await ready.one();
    await subscription.pause();
    await subscription.resize(2);
    await subscription.resume();
    await scene().send(queue, numbered(5));
    await deliveries.next(2);
    await left(queue, 3);

    const plan = { name: queue, arguments: { 'x-queue-type': 'quorum' as const } };
    await (await scene().another()).remove({ exchanges: [], queues: [plan], bindings: [] });
    await ready.one();
    await scene().send(queue, numbered(5));
    await deliveries.next(2);
    await left(queue, 3);
  });

  /** One that was replaced counts until what it holds is settled. */
  async function oneConsumer(queue: string): Promise<void> {
    await until(
      () => scene().broker.depth(queue),
      (depth) => depth?.consumers === 1,
    );
  }

  async function left(queue: string, messages: number): Promise<void> {
    expect((await scene().broker.depth(queue))?.messages).to.equal(messages);
  }
}

function ack(delivery: Delivery): void {
  delivery.ack();
}
