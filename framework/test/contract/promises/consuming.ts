import { expect } from 'chai';
import { TopologyError } from '../../../src/base/errors.js';
import type { Delivery } from '../../../src/ports/broker.js';
import { rejection } from '../rejection.js';
import { numbered, type Scene, text, texts } from '../scene.js';

export function consuming(scene: () => Scene): void {
  it('is ready when it resolves, and delivers what waits and what comes', async () => {
    const queue = await scene().queue('q');
    await scene().send(queue, ['before']);
    const { subscription, deliveries, ready } = await scene().consume([queue], { settle: ack });
    expect(subscription.ready).to.equal(true);
    expect(ready.all).to.deep.equal(['ready']);
    await scene().send(queue, ['after']);
    expect(texts(await deliveries.next(2))).to.deep.equal(['before', 'after']);
    expect((await scene().broker.depth(queue))?.consumers).to.equal(1);
  });

  it('never delivers within the call that publishes', async () => {
    const queue = await scene().queue('q');
    const { deliveries } = await scene().consume([queue], { settle: ack });
    const published = scene().publish(queue, 'key');
    expect(deliveries.all).to.deep.equal([]);
    await published;
    await deliveries.one();
  });

  it('rejects for a queue that does not exist, and leaves no consumer behind', async () => {
    const there = await scene().queue('there');
    const error = await rejection(scene().consume([there, scene().name('missing')]));
    expect(error).to.be.instanceOf(TopologyError).with.property('code', 'JR_TOPOLOGY_MISSING');
    expect(error.message).to.include(scene().name('missing'));
    const missing = await scene().queue('missing');
    await scene().send(missing, ['a']);
    await scene().send(there, ['b']);
    expect(await scene().depthWithoutConsumers(there)).to.equal(1);
    expect(await scene().depthWithoutConsumers(missing)).to.equal(1);
  });

  it('holds no more unacknowledged deliveries than the prefetch of each queue, and as many', async () => {
    const narrow = await scene().queue('narrow');
    const wide = await scene().queue('wide');
    await scene().send(narrow, numbered(40));
    await scene().send(wide, numbered(40));
    const held = new Map<string, Delivery[]>([
      [narrow, []],
      [wide, []],
    ]);
    const most = new Map<string, number>();
    const prefetch = new Map([
      [narrow, 2],
      [wide, 5],
    ]);
    const { deliveries } = await scene().consume([narrow, wide], {
      prefetch: [...prefetch.values()],
      settle(delivery) {
        const mine = held.get(delivery.queue)!;
        mine.push(delivery);
        most.set(delivery.queue, Math.max(most.get(delivery.queue) ?? 0, mine.length));
        // With the last message there are fewer left than the prefetch: whatever is held goes.
        if (mine.length >= prefetch.get(delivery.queue)! || text(delivery) === 'm39') {
          setImmediate(() => mine.splice(0, text(delivery) === 'm39' ? mine.length : 1).forEach(ack));
        }
      },
    });
    await deliveries.next(80);
    expect(Object.fromEntries(most)).to.deep.equal({ [narrow]: 2, [wide]: 5 });
  });

  it('delivers from one queue while all of another is held', async () => {
    const stuck = await scene().queue('stuck');
    const free = await scene().queue('free');
    await scene().send(stuck, numbered(10));
    await scene().send(free, numbered(10));
    const { deliveries } = await scene().consume([stuck, free], {
      prefetch: [3, 3],
      settle: (delivery) => delivery.queue === free && delivery.ack(),
    });
    const seen = await deliveries.next(13);
    expect(texts(seen.filter(({ queue }) => queue === free))).to.deep.equal(numbered(10));
    expect(texts(seen.filter(({ queue }) => queue === stuck))).to.deep.equal(numbered(3));
  });

  it('shares a queue among its consumers', async () => {
    const queue = await scene().queue('q');
    const first = await scene().consume([queue], { prefetch: 1 });
    const second = await scene().consume([queue], { prefetch: 1, broker: await scene().another() });
    await scene().send(queue, ['a', 'b', 'c']);
    const taken = [await first.deliveries.one(), await second.deliveries.one()];
    expect(new Set(texts(taken))).to.deep.equal(new Set(['a', 'b']));
    expect(await scene().broker.depth(queue)).to.deep.equal({ messages: 1, consumers: 2 });
  });

  it('delivers nothing while paused, and settles what was delivered', async () => {
    const queue = await scene().queue('q');
    const { subscription, deliveries } = await scene().consume([queue], { prefetch: 10 });
    await scene().send(queue, ['held']);
    const held = await deliveries.one();
    await subscription.pause();
    expect(subscription.ready).to.equal(false);
    await scene().send(queue, ['waits']);
    expect((await scene().broker.depth(queue))?.messages).to.equal(1);
    expect(held.stale).to.equal(false);
    held.ack();
    await subscription.resume();
    expect(subscription.ready).to.equal(true);
    expect(text(await deliveries.one())).to.equal('waits');
    await subscription.close();
    expect(await scene().depthWithoutConsumers(queue)).to.equal(1);
    expect(await scene().drain(queue)).to.deep.equal(['waits']);
  });

  it('may be paused and resumed again, with one consumer all the time', async () => {
    const queue = await scene().queue('q');
    const { subscription, deliveries } = await scene().consume([queue], { settle: ack });
    await subscription.pause();
    await subscription.pause();
    await subscription.resume();
    await subscription.resume();
    await scene().send(queue, ['a', 'b']);
    expect(texts(await deliveries.next(2))).to.deep.equal(['a', 'b']);
    expect((await scene().broker.depth(queue))?.consumers).to.equal(1);
  });

  it('may be closed again, and while it is paused', async () => {
    const queue = await scene().queue('q');
    const { subscription, deliveries } = await scene().consume([queue]);
    await scene().send(queue, ['a']);
    await deliveries.one();
    await subscription.pause();
    await subscription.close();
    await subscription.close();
    expect(subscription.ready).to.equal(false);
    expect(await scene().depthWithoutConsumers(queue)).to.equal(1);
  });

  it('begins paused where asked to, and delivers from resume on', async () => {
    const queue = await scene().queue('q');
    await scene().send(queue, ['a']);
    const { subscription, deliveries } = await scene().consume([queue], { settle: ack, paused: true });
    expect(subscription.ready).to.equal(false);
    expect(await scene().depthWithoutConsumers(queue)).to.equal(1);
    expect(deliveries.all).to.deep.equal([]);
    await subscription.resume();
    expect(text(await deliveries.one())).to.equal('a');
  });

  it('takes one message without a consumer, or none', async () => {
    const queue = await scene().queue('q');
    expect(await scene().broker.get(queue)).to.equal(undefined);
    await scene().send(queue, ['a', 'b']);
    const first = await scene().broker.get(queue);
    const second = await scene().broker.get(queue);
    expect(texts([first!, second!])).to.deep.equal(['a', 'b']);
    expect(await scene().broker.get(queue)).to.equal(undefined);
    first!.requeue();
    second!.ack();
    const again = await scene().take(queue);
    expect(again).to.include({ queue, redelivered: true });
    expect(text(again)).to.equal('a');
  });

  it('rejects a take from a queue that does not exist, and knows no depth of it', async () => {
    const error = await rejection(scene().broker.get(scene().name('missing')));
    expect(error).to.be.instanceOf(TopologyError).with.property('code', 'JR_TOPOLOGY_MISSING');
    expect(error.message).to.include(scene().name('missing'));
    expect(await scene().broker.depth(scene().name('missing'))).to.equal(undefined);
  });
}

function ack(delivery: Delivery): void {
  delivery.ack();
}
