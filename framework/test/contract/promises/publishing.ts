import { expect } from 'chai';
import { PublishError } from '../../../src/base/errors.js';
import type { MessageProperties } from '../../../src/model/message.js';
import { rejection } from '../rejection.js';
import { numbered, type Scene } from '../scene.js';

export function publishing(scene: () => Scene): void {
  it('has the message on its queue when it resolves', async () => {
    const queue = await scene().queue('q');
    await scene().publish(queue, 'key');
    expect(await scene().broker.depth(queue)).to.deep.equal({ messages: 1, consumers: 0 });
  });

  it('brings body, properties and headers as they were sent', async () => {
    const queue = await scene().queue('q');
    const properties: MessageProperties = {
      messageId: '0190-µ',
      type: 'email.send',
      correlationId: 'root',
      timestamp: 1_900_000_000,
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      appId: 'api',
      headers: {
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        text: 'ünïcode 漢字',
        whole: 42,
        ms: 1_900_000_000_123,
        negative: -7,
        fraction: 0.25,
        yes: true,
        no: false,
        nothing: null,
        list: [1, 'two', [3]],
        table: { deep: { deeper: 'x' } },
      },
    };
    const body = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 256));
    await scene().publish(queue, 'a.b', body, properties);
    const delivery = await scene().take(queue);
    expect(delivery).to.include({
      queue,
      exchange: queue,
      routingKey: 'a.b',
      redelivered: false,
      stale: false,
    });
    expect(delivery.body.equals(body)).to.equal(true);
    const { headers, ...others } = properties;
    expect(delivery.properties).to.include(others);
    const { 'x-delivery-count': _, ...received } = delivery.properties.headers;
    expect(received).to.deep.equal(headers);
  });

  it('brings an empty body and no headers', async () => {
    const queue = await scene().queue('q', { 'x-queue-type': 'classic' });
    await scene().publish(queue, '', '');
    const delivery = await scene().take(queue);
    expect(delivery.body.length).to.equal(0);
    expect(delivery.properties.headers).to.deep.equal({});
  });

  it('rejects what no queue takes, saying that it was certainly not accepted', async () => {
    const exchange = await scene().queue('q');
    const topic = scene().name('topic');
    await scene().declare({
      exchanges: [{ name: topic, type: 'topic' }],
      bindings: [{ source: topic, routingKey: 'known', queue: exchange }],
    });
    const error = await rejection(scene().publish(topic, 'unknown', 'x', { messageId: 'job-1' }));
    expect(error)
      .to.be.instanceOf(PublishError)
      .and.include({ code: 'JR_PUBLISH_RETURNED', maybeAccepted: false });
    for (const shown of ['job-1', topic, 'unknown']) expect(error.message).to.include(shown);
  });

  it('rejects what is sent to an exchange that does not exist, soon and for certain', async () => {
    const missing = scene().name('missing');
    const before = Date.now();
    const error = await rejection(scene().publish(missing, 'key', 'x', { messageId: 'job-1' }));
    expect(error)
      .to.be.instanceOf(PublishError)
      .and.include({ code: 'JR_PUBLISH_RETURNED', maybeAccepted: false });
    expect(error.message).to.include(missing).and.include('job-1');
    expect(Date.now() - before).to.be.lessThan(3_000);
  });

  it('does not let what is refused harm what is published beside it', async () => {
    const queue = await scene().queue('q');
    const topic = scene().name('topic');
    await scene().declare({ exchanges: [{ name: topic, type: 'topic' }] });
    const bodies = numbered(200);
    const [refused, ...accepted] = await Promise.allSettled([
      rejection(scene().publish(topic, 'unknown')),
      ...bodies.slice(0, 100).map((body) => scene().publish(queue, 'key', body, { messageId: body })),
      rejection(scene().publish(scene().name('missing'), 'key')),
      ...bodies.slice(100).map((body) => scene().publish(queue, 'key', body, { messageId: body })),
    ]);
    expect(refused.status).to.equal('fulfilled');
    expect(accepted.filter(({ status }) => status === 'rejected')).to.deep.equal([]);
    // At least once: what was in flight beside a missing exchange may have been sent twice.
    expect(new Set(await scene().drain(queue))).to.deep.equal(new Set(bodies));
  });

  it('tells apart messages that are alike when some of them are returned', async () => {
    const topic = scene().name('topic');
    const queue = await scene().queue('q');
    await scene().declare({
      exchanges: [{ name: topic, type: 'topic' }],
      bindings: [{ source: topic, routingKey: 'known', queue }],
    });
    const keys = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 'unknown' : 'known'));
    const results = await Promise.allSettled(keys.map((key) => scene().publish(topic, key)));
    expect(results.map(({ status }) => status)).to.deep.equal(
      keys.map((key) => (key === 'known' ? 'fulfilled' : 'rejected')),
    );
    expect(await scene().drain(queue)).to.have.length(40);
  });
}
