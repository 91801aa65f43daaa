import { expect } from 'chai';
import type { HeaderValue } from '../../../src/model/message.js';
import type { QueueArguments } from '../../../src/model/topology.js';
import type { Delivery } from '../../../src/ports/broker.js';
import { until } from '../recorder.js';
import { type QueueType, type Scene, text } from '../scene.js';

const types: QueueType[] = ['quorum', 'classic'];

export function deadLettering(scene: () => Scene): void {
  /** A queue whose dead letters go to the queue `dead`. */
  const mortal = async (word: string, args: Partial<QueueArguments>) => {
    const dead = await scene().queue('dead');
    const queue = await scene().queue(word, {
      'x-dead-letter-exchange': dead,
      ...(args['x-queue-type'] !== 'classic' && {
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      }),
      ...args,
    });
    return { queue, dead };
  };

  for (const type of types) {
    describe(`from a ${type} queue`, () => {
      it('moves a message when the time to live of its queue is over', async () => {
        const { queue, dead } = await mortal('q', { 'x-queue-type': type, 'x-message-ttl': 120 });
        const sentAt = Date.now();
        await scene().publish(queue, 'a.b', 'body', { messageId: 'id', type: 'type', headers: { mine: 1 } });
        const letter = await scene().take(dead);
        expect(Date.now() - sentAt).to.be.at.least(119);
        expect(letter).to.include({ exchange: dead, routingKey: 'a.b', redelivered: false });
        expect(text(letter)).to.equal('body');
        expect(letter.properties).to.include({ messageId: 'id', type: 'type' });
        expect(letter.properties.headers).to.include({
          mine: 1,
          'x-first-death-reason': 'expired',
          'x-first-death-queue': queue,
          'x-first-death-exchange': queue,
        });
        expect(deaths(letter)).to.have.length(1);
        expect(deaths(letter)[0]).to.deep.include({
          count: 1,
          reason: 'expired',
          queue,
          exchange: queue,
          'routing-keys': ['a.b'],
        });
      });

      it('moves a message when its own expiration is over, and takes that from it', async () => {
        const { queue, dead } = await mortal('q', { 'x-queue-type': type, 'x-message-ttl': 600_000 });
        await scene().publish(queue, 'key', 'body', { expiration: '60' });
        const letter = await scene().take(dead);
        expect(letter.properties.expiration).to.equal(undefined);
        expect(deaths(letter)[0]).to.include({ reason: 'expired', 'original-expiration': '60' });
      });

      it('gives it the dead-letter routing key of the queue', async () => {
        const { queue, dead } = await mortal('q', {
          'x-queue-type': type,
          'x-dead-letter-routing-key': 'lane',
        });
        await scene().publish(queue, 'a.b', 'body', { expiration: '1' });
        const letter = await scene().take(dead);
        expect(letter.routingKey).to.equal('lane');
        expect(deaths(letter)[0]).to.deep.include({ 'routing-keys': ['a.b'] });
      });

      it('moves what is rejected, at once', async () => {
        const { queue, dead } = await mortal('q', { 'x-queue-type': type });
        await scene().send(queue, ['bad']);
        const { deliveries } = await scene().consume([queue]);
        (await deliveries.one()).reject();
        const letter = await scene().take(dead);
        expect(text(letter)).to.equal('bad');
        expect(letter.properties.headers).to.include({ 'x-first-death-reason': 'rejected' });
        expect(await scene().broker.depth(queue)).to.deep.equal({ messages: 0, consumers: 1 });
      });

      it('looks at the time to live of the head only', async () => {
        const { queue, dead } = await mortal('q', { 'x-queue-type': type });
        const probe = await mortal('probe', { 'x-queue-type': type });
        await scene().send(queue, ['lasting']);
        await scene().publish(queue, 'key', 'short', { expiration: '1' });
        await scene().publish(probe.queue, 'key', 'probe', { expiration: '100' });
        expect(text(await scene().take(probe.dead))).to.equal('probe');
        expect((await scene().broker.depth(queue))?.messages).to.equal(2);
        expect(text(await scene().take(queue))).to.equal('lasting');
        expect(text(await scene().take(dead))).to.equal('short');
      });

      it('does not expire what a consumer holds, and keeps counting when it comes back', async () => {
        const { queue, dead } = await mortal('q', { 'x-queue-type': type, 'x-message-ttl': 100 });
        const probe = await mortal('probe', { 'x-queue-type': type, 'x-message-ttl': 200 });
        const { deliveries } = await scene().consume([queue]);
        await scene().send(queue, ['held']);
        const held = await deliveries.one();
        await scene().send(probe.queue, ['probe']);
        expect(text(await scene().take(probe.dead))).to.equal('probe');
        expect(held.stale).to.equal(false);
        held.requeue(); // its time is over: no consumer gets it again
        expect(text(await scene().take(dead))).to.equal('held');
        expect(deliveries.all).to.have.length(1);
      });
    });
  }

  it('records each queue that it died in, the latest first, and where it died first', async () => {
    const { queue: second, dead } = await mortal('second', { 'x-message-ttl': 30 });
    const first = await scene().queue('first', { 'x-message-ttl': 30, 'x-dead-letter-exchange': second });
    await scene().send(first, ['a']);
    const letter = await scene().take(dead);
    expect(deaths(letter).map(({ queue }) => queue)).to.deep.equal([second, first]);
    expect(letter.properties.headers).to.include({ 'x-first-death-queue': first });
  });

  it('counts how often it died in a queue for the same reason', async () => {
    const { queue, dead } = await mortal('q', {});
    await scene().declare({ bindings: [{ source: dead, routingKey: 'again', queue }] });
    await scene().publish(queue, 'again', 'a');
    const { deliveries } = await scene().consume([queue], { settle: (delivery) => delivery.reject() });
    const [, , third] = await deliveries.next(3);
    expect(deaths(third!)).to.have.length(1);
    expect(deaths(third!)[0]).to.include({ count: 2, reason: 'rejected', queue });
  });

  it('drops a message that would go round by expiring alone', async () => {
    const name = scene().name('round');
    await scene().declare({ exchanges: [{ name, type: 'fanout' }] });
    const round = await scene().queue('round.q', { 'x-message-ttl': 50, 'x-dead-letter-exchange': name });
    const witness = await scene().queue('witness');
    await scene().declare({
      bindings: [
        { source: name, routingKey: '', queue: round },
        { source: name, routingKey: '', queue: witness },
      ],
    });
    await scene().send(round, ['a']);
    await scene().take(witness);
    expect((await scene().broker.depth(round))?.messages).to.equal(0);
  });

  it('moves what came back to a quorum queue with its channel more often than its delivery limit', async () => {
    const { queue, dead } = await mortal('q', { 'x-delivery-limit': 2 });
    await scene().send(queue, ['poison']);
    for (let times = 1; times <= 3; times++) {
      const { subscription, deliveries } = await scene().consume([queue]);
      await deliveries.one();
      await subscription.close();
    }
    const letter = await scene().take(dead);
    expect(letter.properties.headers).to.include({ 'x-first-death-reason': 'delivery_limit' });
    await until(
      () => scene().broker.depth(queue),
      (depth) => depth?.messages === 0,
    );
  });

  it('gives a dead letter that no binding matches to the alternate exchange', async () => {
    const parked = await scene().queue('parked');
    const exchange = scene().name('dlx');
    await scene().declare({ exchanges: [{ name: exchange, type: 'topic', alternate: parked }] });
    const queue = await scene().queue('q', { 'x-message-ttl': 20, 'x-dead-letter-exchange': exchange });
    await scene().send(queue, ['nobody wants it']);
    expect(text(await scene().take(parked))).to.equal('nobody wants it');
  });
}

function deaths(delivery: Delivery): Record<string, HeaderValue>[] {
  return delivery.properties.headers['x-death'] as Record<string, HeaderValue>[];
}
