import { expect } from 'chai';
import { AmqpBroker } from '../../src/adapters/amqp/amqp-broker.js';
import { PublishError } from '../../src/index.js';
import { rejection } from '../contract/rejection.js';
import { useStage } from '../flow/stage.js';
import { TcpProxy } from './tcp-proxy.js';

describe('a broker that does not take a message', () => {
  const stage = useStage();

  /** A queue with room for one message, which refuses what comes beyond it by a nack. */
  async function fullQueue(word: string) {
    const queue = `${stage.prefix}.${word}`;
    const channel = await stage.channel();
    await channel.assertQueue(queue, {
      durable: true,
      arguments: { 'x-queue-type': 'classic', 'x-max-length': 1, 'x-overflow': 'reject-publish' },
    });
    stage.atEnd(() => channel.deleteQueue(queue));
    return { queue, channel };
  }

  async function brokerWith(publishTimeout: `${number}ms`, url = stage.rail.url) {
    const broker = new AmqpBroker({ url, publishTimeout });
    stage.atEnd(() => broker.close());
    await broker.connect();
    return broker;
  }

  const message = (queue: string, messageId: string) => ({
    exchange: '',
    routingKey: queue,
    body: Buffer.from('{}'),
    properties: { messageId, headers: {} },
  });

  it('by a nack gets it again until it takes it', async () => {
    const { queue, channel } = await fullQueue('full');
    const broker = await brokerWith('8000ms');
    await broker.publish(message(queue, 'first'));
    const second = broker.publish(message(queue, 'second'));
    const third = broker.publish(message(queue, 'third'));
    const taken: string[] = [];
    // Each take makes room for one more.
    await stage.signals.when(() => {
      void channel
        .get(queue, { noAck: true })
        .then((got) => got && taken.push(got.properties.messageId as string));
      return taken.length >= 3;
    }, 'three messages');
    await Promise.all([second, third]);
    expect(taken.slice(0, 3)).to.have.members(['first', 'second', 'third']);
  });

  it('by nacks up to the deadline rejects, and does not try any more', async () => {
    const { queue, channel } = await fullQueue('kept-full');
    const broker = await brokerWith('2000ms'); // enough for the third on a busy machine
    await broker.publish(message(queue, 'first'));
    const error = (await rejection(broker.publish(message(queue, 'second')))) as PublishError;
    expect(error).to.be.instanceOf(PublishError);
    expect(error).to.have.property('code', 'JR_PUBLISH_TIMEOUT');
    await channel.purgeQueue(queue);
    await broker.publish(message(queue, 'third'));
    expect(await stage.ready(queue)).to.equal(1);
  });

  it('for want of the exchange rejects what was sent there and nothing else', async () => {
    const { queue } = await fullQueue('beside');
    const broker = await brokerWith('8000ms');
    const lost = { ...message(queue, 'lost'), exchange: `${stage.prefix}.nowhere`, routingKey: 'x' };
    const [error] = await Promise.all([
      rejection(broker.publish(lost)),
      broker.publish(message(queue, 'kept')),
    ]);
    expect(error).to.include({ code: 'JR_PUBLISH_RETURNED', maybeAccepted: false });
    expect(error.message)
      .to.include(`${stage.prefix}.nowhere`)
      .and.to.match(/no such exchange/);
    expect(await stage.ready(queue)).to.equal(1);
  });

  it('because it is closing: what was published before close() is confirmed first', async () => {
    const { queue } = await fullQueue('closing');
    const broker = await brokerWith('8000ms');
    const published = broker.publish(message(queue, 'last'));
    await broker.close();
    await published;
    expect(await stage.ready(queue)).to.equal(1);
    expect(await rejection(broker.publish(message(queue, 'late')))).to.have.property(
      'code',
      'JR_BROKER_CLOSED',
    );
  });

  it('more than the window allows keeps the rest until there is room, in order', async () => {
    const queue = `${stage.prefix}.window`;
    const channel = await stage.channel();
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'classic' } });
    stage.atEnd(() => channel.deleteQueue(queue));
    const broker = new AmqpBroker({ url: stage.rail.url, window: 3 });
    stage.atEnd(() => broker.close());
    await broker.connect();
    const ids = Array.from({ length: 50 }, (_, i) => String(i));
    await Promise.all(ids.map((id) => broker.publish(message(queue, id))));
    const got: string[] = [];
    for (let next = await channel.get(queue); next; next = await channel.get(queue)) {
      got.push(next.properties.messageId as string);
    }
    expect(got).to.deep.equal(ids);
  });

  it('because it is away: what would make the backlog boundless is refused at once', async () => {
    const proxy = await TcpProxy.before(stage.rail.url);
    stage.atEnd(() => proxy.close());
    const broker = await brokerWith('400ms', proxy.through(stage.rail.url));
    proxy.refuse();
    proxy.cut();
    await stage.signals.when(() => !broker.connected, 'the broker to be away');
    const one = message('anywhere', 'one');
    const errors = await Promise.all(Array.from({ length: 50_002 }, () => rejection(broker.publish(one))));
    const refused = errors.filter(({ message }) =>
      /50000 messages wait for the broker already/.test(message),
    );
    expect(refused).to.have.length(2);
    expect(errors.filter((error) => (error as PublishError).maybeAccepted)).to.have.length(0);
  });

  it('because the connection breaks again and again still gets each message', async () => {
    const queue = `${stage.prefix}.flapping`;
    const channel = await stage.channel();
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'classic' } });
    stage.atEnd(() => channel.deleteQueue(queue));
    const proxy = await TcpProxy.before(stage.rail.url);
    stage.atEnd(() => proxy.close());
    const broker = await brokerWith('8000ms', proxy.through(stage.rail.url));
    const ids = Array.from({ length: 300 }, (_, i) => String(i));
    let confirmed = 0;
    const all = Promise.all(
      ids.map(async (id, i) => {
        await stage.signals.when(() => confirmed >= i - 50, 'room');
        await broker.publish(message(queue, id));
        if (++confirmed % 60 === 0) proxy.cut();
      }),
    );
    await all;
    const got = new Set<string>();
    for (let next = await channel.get(queue); next; next = await channel.get(queue)) {
      got.add(next.properties.messageId as string);
    }
    expect([...got].sort()).to.deep.equal([...ids].sort());
  });
});
