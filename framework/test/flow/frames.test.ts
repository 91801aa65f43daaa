import { expect } from 'chai';
import fc from 'fast-check';
import type { HeaderValue, MessageProperties } from '../../src/model/message.js';
import type { Delivery } from '../../src/ports/broker.js';
import { AmqpBroker } from '../../src/adapters/amqp/amqp-broker.js';
import { useStage } from './stage.js';

const shortText = fc.string({ unit: 'grapheme', maxLength: 40 });

const value: fc.Arbitrary<HeaderValue> = fc.letrec<{ value: HeaderValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    shortText,
    fc.string({ minLength: 200, maxLength: 2_000 }),
    fc.boolean(),
    fc.constant(null),
    fc.integer({ min: -200, max: 200 }),
    fc.integer({ min: -70_000, max: 70_000 }),
    fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    fc.constantFrom(2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 53, -128, 128, 32_768),
    fc.double({ min: -1e18, noNaN: true, noDefaultInfinity: true }).filter((n) => !Object.is(n, -0)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string({ minLength: 1, maxLength: 20 }).filter(plain), tie('value'), {
      maxKeys: 4,
      noNullPrototype: true,
    }),
  ),
})).value;

/** Names that mean something to JavaScript or to amqplib. */
function plain(name: string): boolean {
  return name !== '__proto__' && name !== '!';
}

const properties: fc.Arbitrary<MessageProperties> = fc.record(
  {
    messageId: shortText.filter((text) => text !== ''),
    type: shortText,
    correlationId: shortText,
    contentType: shortText,
    contentEncoding: shortText,
    appId: shortText,
    timestamp: fc.integer({ min: 0, max: 2 ** 40 }),
    priority: fc.integer({ min: 0, max: 255 }),
    deliveryMode: fc.constant(2),
    headers: fc.dictionary(
      fc.string({ minLength: 1, maxLength: 30 }).filter((name) => plain(name) && !/^(x-|b?cc$)/i.test(name)),
      value,
      { maxKeys: 6, noNullPrototype: true },
    ),
  },
  { requiredKeys: ['headers', 'messageId'] },
);

const sizes = [0, 1, 8, 16_383, 16_384, 16_385, 65_500, 65_536, 131_064, 131_065, 400_000, 3, 2_000_000, 5];

function defined(of: object): object {
  return Object.fromEntries(Object.entries(of).filter(([, one]) => one !== undefined));
}

describe('a message', () => {
  const stage = useStage();

  async function queueAndBroker() {
    const queue = `${stage.prefix}.frames`;
    const channel = await stage.channel();
    await channel.assertQueue(queue, { durable: true });
    stage.atEnd(() => channel.deleteQueue(queue));
    const broker = new AmqpBroker({ url: stage.rail.url });
    stage.atEnd(() => broker.close());
    await broker.connect();
    return { queue, broker, channel };
  }

  it('comes out as it was sent, whatever is in its properties and headers', async () => {
    const { queue, broker, channel } = await queueAndBroker();
    await fc.assert(
      fc.asyncProperty(properties, fc.uint8Array({ maxLength: 400 }), async (sent, bytes) => {
        const body = Buffer.from(bytes);
        await broker.publish({ exchange: '', routingKey: queue, body, properties: sent });
        const got = await channel.get(queue, { noAck: true });
        if (!got) throw new Error('nothing came');
        expect(got.content.equals(body)).to.equal(true);
        expect(defined(got.properties)).to.deep.equal({ deliveryMode: 2, ...sent });
      }),
      { numRuns: 150 },
    );
  });

  it('reaches a consumer as it was sent, whatever is in its properties and headers', async () => {
    const { queue, broker, channel } = await queueAndBroker();
    let take: (delivery: Delivery) => void = () => undefined;
    const subscription = await broker.consume({
      queues: [{ name: queue, prefetch: 10 }],
      onDelivery: (delivery) => take(delivery),
    });
    await fc.assert(
      fc.asyncProperty(properties, fc.uint8Array({ maxLength: 400 }), async (sent, bytes) => {
        const body = Buffer.from(bytes);
        const coming = new Promise<Delivery>((resolve) => (take = resolve));
        channel.sendToQueue(queue, body, sent);
        const got = await coming;
        expect([got.queue, got.exchange, got.routingKey]).to.deep.equal([queue, '', queue]);
        expect([got.redelivered, got.unreadable]).to.deep.equal([false, undefined]);
        expect(got.body.equals(body)).to.equal(true);
        expect(defined(got.properties)).to.deep.equal({ ...sent });
        got.ack();
      }),
      { numRuns: 150 },
    );
    await subscription.close();
  });

  it('of any size reaches a consumer in its place', async () => {
    const { queue, broker, channel } = await queueAndBroker();
    const bodies = sizes.map((size, i) => Buffer.alloc(size, `${i} `));
    for (const [i, body] of bodies.entries()) channel.sendToQueue(queue, body, { messageId: `${i}` });
    const got: Delivery[] = [];
    await new Promise<void>((resolve, reject) => {
      const onDelivery = (delivery: Delivery) => {
        got.push(delivery);
        delivery.ack();
        if (got.length === bodies.length) resolve();
      };
      broker.consume({ queues: [{ name: queue, prefetch: 100 }], onDelivery }).catch(reject);
    });
    for (const [i, { properties: given, body }] of got.entries()) {
      expect(given.messageId).to.equal(`${i}`);
      expect(body.equals(bodies[i]!), `${body.length} bytes`).to.equal(true);
    }
  });

  it('of any size keeps its body and its place among others', async () => {
    const { queue, broker, channel } = await queueAndBroker();
    const bodies = sizes.map((size, i) => Buffer.alloc(size, `${i} `));
    await Promise.all(
      bodies.map((body, i) =>
        broker.publish({
          exchange: '',
          routingKey: queue,
          body,
          properties: { messageId: `${i}`, headers: {} },
        }),
      ),
    );
    for (const [i, body] of bodies.entries()) {
      const got = await channel.get(queue, { noAck: true });
      expect(got && got.properties.messageId).to.equal(`${i}`);
      expect(got && got.content.equals(body), `${body.length} bytes`).to.equal(true);
    }
  });

  it('that AMQP cannot hold is refused, and the next one goes through', async () => {
    const { queue, broker, channel } = await queueAndBroker();
    const send = (properties: MessageProperties) =>
      broker.publish({ exchange: '', routingKey: queue, body: Buffer.from('{}'), properties });
    const refused: MessageProperties[] = [
      { messageId: 'x'.repeat(256), headers: {} },
      { messageId: 'id', headers: { ['n'.repeat(256)]: 1 } },
      { messageId: 'id', headers: { long: 'x'.repeat(70_000) } },
      { messageId: 'id', headers: { odd: undefined as never, fn: (() => 1) as never } },
      { messageId: 7 as never, headers: {} },
      { messageId: 'id', priority: 256, headers: {} },
    ];
    for (const properties of refused) {
      const error = await send(properties).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).to.have.property('code', 'JR_MESSAGE_UNSENDABLE');
    }
    await send({ messageId: 'fine', headers: {} });
    const got = await channel.get(queue, { noAck: true });
    expect(got && got.properties.messageId).to.equal('fine');
  });
});
