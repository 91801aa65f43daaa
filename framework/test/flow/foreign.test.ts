import { expect } from 'chai';
import { z } from 'zod';
import { type Contract, defineJob, defineQueue, fixed } from '../../src/index.js';
import { header } from '../../src/model/envelope.js';
import { useStage } from './stage.js';
import { lone, working } from './working.js';

/** Messages of programs that have never heard of Jobrail, published with bare amqplib. */
describe('messages of others', () => {
  const stage = useStage();

  describe('sent as docs/wire.md says', () => {
    it('become jobs with nothing but message_id, type, content_type and delivery_mode', async () => {
      const contract = lone('wire-least');
      const before = Date.now();
      await stage.start({
        handlers: [
          working(
            contract,
            (payload, { id, attempt, priority, rootId, causationId, enqueuedAt, headers }) => {
              expect(enqueuedAt.getTime()).to.be.within(before, Date.now());
              stage.signals.tell('got', { payload, id, attempt, priority, rootId, causationId, headers });
            },
          ),
        ],
      });
      const channel = await stage.channel();
      channel.publish(`${stage.prefix}.jobs`, 'wire-least', Buffer.from('{"note":"from python"}'), {
        messageId: 'python-1',
        type: 'wire-least',
        contentType: 'application/json',
        deliveryMode: 2,
        mandatory: true,
      });
      expect((await stage.signals.first({ what: 'got' })).detail).to.deep.equal({
        payload: { note: 'from python' },
        id: 'python-1',
        attempt: 1,
        priority: 0,
        rootId: 'python-1',
        causationId: undefined,
        headers: {},
      });
    });

    it('are urgent by their routing key, delayed by x-jobrail-due-at, and keep their own headers', async () => {
      const contract = lone('wire-more', { priorities: 3 });
      await stage.start({
        handlers: [
          working(contract, ({ note }, { priority, headers }) =>
            stage.signals.tell(note, { priority, headers, at: Date.now() }),
          ),
        ],
      });
      const channel = await stage.channel();
      const dueAt = Date.now() + 300;
      const send = (routingKey: string, note: string, headers: object) =>
        channel.publish(`${stage.prefix}.jobs`, routingKey, Buffer.from(JSON.stringify({ note })), {
          messageId: note,
          type: 'wire-more',
          deliveryMode: 2,
          headers,
        });
      send('wire-more.p2', 'urgent', { tenant: 'acme' });
      send('wire-more', 'later', { 'x-jobrail-due-at': dueAt });
      const { detail: urgent } = await stage.signals.first({ what: 'urgent' });
      expect(urgent).to.deep.include({ priority: 2, headers: { tenant: 'acme' } });
      const { detail: later } = await stage.signals.first({ what: 'later' });
      expect(later).to.have.property('at').that.is.at.least(dueAt);
    });
  });

  describe('on an exchange of others that a handler is bound to', () => {
    let exchange: string;

    /** Their exchange, as they declared it. */
    async function theirs(type: 'topic' | 'fanout' | 'direct' = 'topic') {
      exchange = `${stage.prefix}.orders.${type}`;
      const channel = await stage.channel();
      await channel.assertExchange(exchange, type, { durable: true });
      stage.atEnd(() => channel.deleteExchange(exchange));
      return channel;
    }

    const orderPaid = (name: string) =>
      defineJob(name, { queue: defineQueue(name), payload: z.object({ order: z.number() }) });

    const bound = (contract: Contract, routingKey: string) =>
      working(
        contract,
        (payload, { id, contract, attempt }) => {
          stage.signals.tell('got', { payload, id, contract, attempt });
        },
        { bindings: [{ exchange, routingKey }], retry: fixed({ attempts: 2, every: 1 }) },
      );

    it('become jobs: plain JSON, without id, type or headers', async () => {
      const channel = await theirs();
      const contract = orderPaid('foreign-plain');
      await stage.start({ handlers: [bound(contract, 'order.*.paid')] });
      channel.publish(exchange, 'order.eu.paid', Buffer.from('{"order":7}'));
      channel.publish(exchange, 'order.eu.cancelled', Buffer.from('{"order":8}'));
      channel.publish(exchange, 'order.us.paid', Buffer.from('{"order":9}'));
      const got = await stage.signals.next(2, { what: 'got' });
      const details = got.map(({ detail }) => detail as { payload: unknown; id: string });
      expect(details.map(({ payload }) => payload)).to.deep.equal([{ order: 7 }, { order: 9 }]);
      expect(new Set(details.map(({ id }) => id)).size).to.equal(2);
      expect(details[0]).to.include({ contract: 'foreign-plain', attempt: 1 });
    });

    it('go to the handler whose binding brought them, although the queue has others, and their type is their own', async () => {
      const channel = await theirs();
      const queue = defineQueue('foreign-shared');
      const payload = z.object({ order: z.number() });
      const paid = defineJob('foreign-shared.paid', { queue, payload });
      const refunded = defineJob('foreign-shared.refunded', { queue, payload });
      await stage.start({ handlers: [bound(paid, 'paid.#'), bound(refunded, 'refund.*')] });
      channel.publish(exchange, 'refund.eu', Buffer.from('{"order":1}'), {
        type: 'com.shop.Refund',
        messageId: 'r1',
      });
      channel.publish(exchange, 'paid', Buffer.from('{"order":2}'), {
        type: 'com.shop.Paid',
        messageId: 'p1',
      });
      const got = await stage.signals.next(2, { what: 'got' });
      const byId = Object.fromEntries(
        got.map(({ detail }) => [(detail as { id: string }).id, (detail as { contract: string }).contract]),
      );
      expect(byId).to.deep.equal({ r1: 'foreign-shared.refunded', p1: 'foreign-shared.paid' });
    });

    it('are retried and become dead letters as jobs of the contract', async () => {
      const channel = await theirs('fanout');
      const contract = orderPaid('foreign-failing');
      const dead = await stage.deadLetters(contract);
      const handler = working(
        contract,
        (_, { id, attempt }) => {
          stage.signals.tell('tried', { id, attempt });
          throw new Error('no such order');
        },
        { bindings: [{ exchange, routingKey: '#' }], retry: fixed({ attempts: 2, every: 1 }) },
      );
      await stage.start({ handlers: [handler] });
      channel.publish(exchange, 'whatever', Buffer.from('{"order":1}'));
      const letter = await dead.one();
      const tried = stage.signals
        .of({ what: 'tried' })
        .map(({ detail }) => detail as { id: string; attempt: number });
      expect(tried.map(({ attempt }) => attempt)).to.deep.equal([1, 2]);
      expect(tried[1]!.id).to.equal(tried[0]!.id);
      expect(letter.properties).to.include({ type: 'foreign-failing', messageId: tried[0]!.id });
      expect(letter.properties.headers).to.include({ [header.deadReason]: 'retries-exhausted' });
    });

    it('that do not fit the contract become dead letters with the reason', async () => {
      const channel = await theirs('direct');
      const contract = orderPaid('foreign-wrong');
      const dead = await stage.deadLetters(contract);
      await stage.start({ handlers: [bound(contract, 'paid')] });
      channel.publish(exchange, 'paid', Buffer.from('{"order":"seven"}'));
      channel.publish(exchange, 'paid', Buffer.from('<order/>'));
      const letters = await dead.next(2);
      expect(letters.map(({ properties }) => properties.headers[header.deadReason])).to.deep.equal([
        'invalid-payload',
        'invalid-payload',
      ]);
    });
  });
});
