import { expect } from 'chai';
import { until } from '../recorder.js';
import { numbered, type QueueType, type Scene, text, texts } from '../scene.js';

const types: QueueType[] = ['quorum', 'classic'];

export function settling(scene: () => Scene): void {
  for (const type of types) {
    describe(`on a ${type} queue`, () => {
      const lane = () =>
        scene().queue('q', { 'x-queue-type': type, ...(type === 'quorum' && { 'x-delivery-limit': 100 }) });

      it('has lost nothing that was acked, when closed at once', async () => {
        const queue = await lane();
        await scene().send(queue, numbered(500));
        const { subscription, deliveries } = await scene().consume([queue], { prefetch: 500 });
        for (const delivery of await deliveries.next(500)) delivery.ack();
        await subscription.close();
        expect(await scene().depthWithoutConsumers(queue)).to.equal(0);
      });

      it('has lost nothing that was acked, when the broker is closed at once', async () => {
        const queue = await lane();
        await scene().send(queue, numbered(50));
        const broker = await scene().another();
        const { deliveries } = await scene().consume([queue], { broker });
        for (const delivery of await deliveries.next(50)) delivery.ack();
        await broker.close();
        expect(await scene().depthWithoutConsumers(queue)).to.equal(0);
      });

      for (const paused of [false, true]) {
        it(`keeps exactly what was not acked, whatever the order of acks${paused ? ', also when paused before' : ''}`, async () => {
          const queue = await lane();
          await scene().send(queue, numbered(300));
          const { subscription, deliveries } = await scene().consume([queue], { prefetch: 300 });
          const delivered = await deliveries.next(300);
          if (paused) await subscription.pause();
          const kept = delivered.filter((_, i) => i % 7 === 3);
          const done = shuffled(delivered.filter((each) => !kept.includes(each)));
          for (const delivery of done) delivery.ack();
          await subscription.close();
          expect(await scene().depthWithoutConsumers(queue)).to.equal(kept.length);
          expect(await scene().drain(queue)).to.deep.equal(texts(kept));
        });
      }

      it('gives back what waits in its queue as it was, when paused and closed after many acks', async () => {
        const queue = await lane();
        await scene().send(queue, numbered(140));
        const { subscription, deliveries } = await scene().consume([queue], { prefetch: 120 });
        const delivered = await deliveries.next(120);
        await subscription.pause();
        for (const [i, delivery] of delivered.entries()) if (i % 2 === 0) delivery.ack();
        await subscription.close();
        const { deliveries: after } = await scene().consume([queue], { prefetch: 100 });
        const again = (await after.next(80)).filter(({ redelivered }) => redelivered);
        // From RabbitMQ 4.0 on the closing channel may see one that waits.
        const seen = /^[4-9]/.test(scene().broker.info?.version ?? '') ? 1 : 0;
        expect(again.length).to.be.within(60, 60 + seen);
      });

      it('keeps exactly what was not acked, when acks come over several ticks', async () => {
        const queue = await lane();
        await scene().send(queue, numbered(300));
        const { subscription, deliveries } = await scene().consume([queue], { prefetch: 300 });
        const delivered = await deliveries.next(300);
        const kept = delivered.filter((_, i) => i % 11 === 5);
        for (const [i, delivery] of shuffled(delivered.filter((each) => !kept.includes(each))).entries()) {
          delivery.ack();
          if (i % 20 === 19) await new Promise(setImmediate);
        }
        await subscription.close();
        expect(await scene().depthWithoutConsumers(queue)).to.equal(kept.length);
        expect(await scene().drain(queue)).to.deep.equal(texts(kept));
      });

      it('sends acks that are ahead of one that is held, without a close', async () => {
        const queue = await lane();
        await scene().send(queue, numbered(20));
        const { deliveries } = await scene().consume([queue], { prefetch: 10 });
        const [, ...ahead] = await deliveries.next(10);
        for (const delivery of ahead) delivery.ack();
        expect(texts(await deliveries.next(9))).to.deep.equal(numbered(19).slice(10));
      });

      it('delivers again at once what was requeued, marked as redelivered', async () => {
        const queue = await lane();
        await scene().send(queue, ['a', 'b', 'c']);
        const { deliveries } = await scene().consume([queue], { prefetch: 1 });
        const first = await deliveries.one();
        expect(first.redelivered).to.equal(false);
        first.requeue();
        const again = await deliveries.one();
        expect(text(again)).to.equal('a');
        expect(again.redelivered).to.equal(true);
        again.ack();
        const next = await deliveries.one();
        expect(text(next)).to.equal('b');
        expect(next.redelivered).to.equal(false);
      });

      it('gives back on close what was not settled, marked as redelivered', async () => {
        const queue = await lane();
        await scene().send(queue, numbered(5));
        const { subscription, deliveries } = await scene().consume([queue], { prefetch: 3 });
        const held = await deliveries.next(3);
        await subscription.close();
        expect(held.map(({ stale }) => stale)).to.deep.equal([true, true, true]);
        const again = await scene().consume([queue]);
        const seen = await again.deliveries.next(5);
        expect(texts(seen)).to.deep.equal(numbered(5));
        expect(seen.map(({ redelivered }) => redelivered)).to.deep.equal([true, true, true, false, false]);
      });

      it('gives back what was not settled when the broker is closed, also what was taken without a consumer', async () => {
        const queue = await lane();
        await scene().send(queue, numbered(3));
        const broker = await scene().another();
        const taken = (await broker.get(queue))!;
        const { deliveries } = await scene().consume([queue], { broker });
        const held = await deliveries.next(2);
        await broker.close();
        expect([taken, ...held].map(({ stale }) => stale)).to.deep.equal([true, true, true]);
        const again = await scene().consume([queue]);
        expect(new Set(texts(await again.deliveries.next(3)))).to.deep.equal(new Set(numbered(3)));
      });

      it('does nothing for a delivery that is settled already', async () => {
        const queue = await lane();
        await scene().send(queue, ['a', 'b']);
        const { subscription, deliveries } = await scene().consume([queue]);
        const [first, second] = await deliveries.next(2);
        first!.ack();
        first!.requeue();
        first!.reject();
        first!.ack();
        second!.requeue();
        second!.ack();
        second!.reject();
        expect(text(await deliveries.one())).to.equal('b');
        await subscription.close();
        expect(await scene().depthWithoutConsumers(queue)).to.equal(1);
        const taken = (await scene().broker.get(queue))!;
        taken.ack();
        taken.ack();
        taken.requeue();
        expect(await scene().depthWithoutConsumers(queue)).to.equal(0);
      });

      it('does nothing for a stale delivery', async () => {
        const queue = await lane();
        await scene().send(queue, ['a']);
        const first = await scene().consume([queue]);
        const stale = await first.deliveries.one();
        await first.subscription.close();
        const second = await scene().consume([queue]);
        const fresh = await second.deliveries.one();
        stale.ack();
        stale.reject();
        stale.requeue();
        expect(fresh.stale).to.equal(false);
        await second.subscription.close();
        expect(await scene().depthWithoutConsumers(queue)).to.equal(1);
      });

      it('drops what was rejected when there is no dead-letter exchange', async () => {
        const queue = await lane();
        await scene().send(queue, ['bad', 'good']);
        const { subscription, deliveries } = await scene().consume([queue]);
        const [bad] = await deliveries.next(2);
        bad!.reject();
        await subscription.close();
        expect(await scene().depthWithoutConsumers(queue)).to.equal(1);
        expect(await scene().drain(queue)).to.deep.equal(['good']);
      });

      it('hands out copies: changing one changes nothing for the next', async () => {
        const queue = await lane();
        await scene().publish(queue, 'key', 'body', { headers: { list: [1] } });
        const { deliveries } = await scene().consume([queue]);
        const first = await deliveries.one();
        first.body.fill(0);
        first.properties.headers['list'] = 'changed';
        first.requeue();
        const again = await deliveries.one();
        expect(text(again)).to.equal('body');
        expect(again.properties.headers['list']).to.deep.equal([1]);
      });
    });
  }

  it('counts returns in x-delivery-count on a quorum queue, where the broker does', async () => {
    const { countsRequeues } = scene().features;
    const queue = await scene().queue('q', { 'x-delivery-limit': 10 });
    await scene().send(queue, ['a']);
    const counts: unknown[] = [];
    const { subscription, deliveries } = await scene().consume([queue], {
      settle(delivery) {
        counts.push(delivery.properties.headers['x-delivery-count'] ?? 0);
        if (counts.length < 4) delivery.requeue();
      },
    });
    await deliveries.next(4);
    expect(counts).to.deep.equal(countsRequeues ? [0, 1, 2, 3] : [0, 0, 0, 0]);
    await subscription.close();
    const again = await until(
      () => scene().broker.get(queue),
      (got) => got !== undefined,
    );
    expect(again!.properties.headers['x-delivery-count']).to.equal(countsRequeues ? 4 : 1);
  });
}

function shuffled<T>(items: readonly T[]): T[] {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(Math.random() * left.length), 1)[0]!);
}
