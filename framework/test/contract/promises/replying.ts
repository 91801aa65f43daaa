import { expect } from 'chai';
import { PublishError } from '../../../src/base/errors.js';
import type { MessageProperties } from '../../../src/model/message.js';
import type { Broker } from '../../../src/ports/broker.js';
import { Recorder } from '../recorder.js';
import { rejection } from '../rejection.js';
import type { Scene } from '../scene.js';

interface Heard {
  correlationId: string | undefined;
  body: string;
}

export function replying(scene: () => Scene): void {
  const open = async (broker: Broker = scene().broker) => {
    const replies = new Recorder<Heard>('replies', ({ body }) => body);
    const losses = new Recorder<'lost'>('calls of onLost');
    const line = await broker.openReplies({
      onReply: ({ correlationId }, body) => replies.record({ correlationId, body: body.toString() }),
      onLost: () => losses.record('lost'),
    });
    const ask = (queue: string, body: string, properties: Partial<MessageProperties> = {}) =>
      line.publish({
        exchange: queue,
        routingKey: 'key',
        body: Buffer.from(body),
        properties: { headers: {}, messageId: body, ...properties },
      });
    return { line, replies, losses, ask };
  };
  /** Whether an answer has arrived is not told by its confirm. */
  const answer = (broker: Broker, to: string, body: string, correlationId = body) =>
    broker
      .publish({
        exchange: '',
        routingKey: to,
        body: Buffer.from(body),
        properties: { correlationId, headers: {} },
      })
      .catch(() => undefined);
  const askedOf = async (queue: string, others: Broker) => {
    const delivery = await others.get(queue);
    delivery!.ack();
    return delivery!.properties.replyTo!;
  };

  it('has the question on its queue when it resolves, with an address for answers from anywhere', async () => {
    const queue = await scene().queue('q');
    const { ask, replies } = await open();
    await ask(queue, 'question', { type: 'email.send', headers: { known: 'by heart' } });
    const others = await scene().another();
    const delivery = (await others.get(queue))!;
    expect(delivery.body.toString()).to.equal('question');
    expect(delivery.properties).to.include({ messageId: 'question', type: 'email.send' });
    expect(delivery.properties.headers).to.include({ known: 'by heart' });
    delivery.ack();
    await answer(others, delivery.properties.replyTo!, 'answer', 'question');
    expect(await replies.one()).to.deep.equal({ correlationId: 'question', body: 'answer' });
  });

  it('brings each answer to the line that asked, also on one connection', async () => {
    const queue = await scene().queue('q');
    const lines = [await open(), await open(), await open(await scene().another())];
    const others = await scene().another();
    for (const [i, { ask }] of lines.entries()) {
      await ask(queue, `question ${i}`);
      await answer(others, await askedOf(queue, others), `answer ${i}`);
    }
    for (const [i, { replies }] of lines.entries()) {
      expect(await replies.one()).to.include({ body: `answer ${i}` });
      expect(replies.all).to.have.length(1);
    }
  });

  it('brings many answers to one address, in the order in which they were sent', async () => {
    const queue = await scene().queue('q');
    const { ask, replies } = await open();
    await ask(queue, 'question');
    const address = await askedOf(queue, scene().broker);
    const bodies = Array.from({ length: 50 }, (_, i) => `answer ${i}`);
    for (const body of bodies) await answer(scene().broker, address, body);
    expect((await replies.next(50)).map(({ body }) => body)).to.deep.equal(bodies);
  });

  it('rejects a question that no queue takes, saying that it was certainly not accepted', async () => {
    const exchange = scene().name('topic');
    await scene().declare({ exchanges: [{ name: exchange, type: 'topic' }] });
    const { ask } = await open();
    const error = await rejection(ask(exchange, 'question'));
    expect(error)
      .to.be.instanceOf(PublishError)
      .and.include({ code: 'JR_PUBLISH_RETURNED', maybeAccepted: false });
  });

  it('hears nothing more once it is closed, and whoever answers comes to no harm', async () => {
    const queue = await scene().queue('q');
    const { line, ask, replies, losses } = await open();
    await ask(queue, 'question');
    await line.close();
    await losses.one();
    const others = await scene().another();
    await answer(others, await askedOf(queue, others), 'too late');
    await scene().send(queue, ['beside it']);
    expect(await scene().drain(queue)).to.deep.equal(['beside it']);
    expect(replies.all).to.deep.equal([]);
  });

  it('tells that it is lost when its connection ends', async () => {
    const broker = await scene().another();
    const { losses } = await open(broker);
    await broker.close();
    await losses.one();
  });
}
