import { expect } from 'chai';
import type { ExchangePlan } from '../../../src/model/topology.js';
import { rejection } from '../rejection.js';
import type { Scene } from '../scene.js';

export function routing(scene: () => Scene): void {
  const exchange = async (plan: Omit<ExchangePlan, 'name'> & { word: string }) => {
    const { word, ...rest } = plan;
    const name = scene().name(word);
    await scene().declare({ exchanges: [{ name, ...rest }] });
    return name;
  };
  const boundQueue = async (source: string, routingKey: string, word: string) => {
    const name = scene().name(word);
    await scene().declare({
      queues: [{ name, arguments: { 'x-queue-type': 'classic' } }],
      bindings: [{ source, routingKey, queue: name }],
    });
    return name;
  };

  const topics: { pattern: string; matches: string[]; not: string[] }[] = [
    {
      pattern: 'order.paid',
      matches: ['order.paid'],
      not: ['order', 'order.paid.eu', 'order.sent', 'Order.paid'],
    },
    { pattern: 'order.*', matches: ['order.paid', 'order.'], not: ['order', 'order.paid.eu'] },
    { pattern: '*.eu.*', matches: ['order.eu.paid'], not: ['eu', 'order.eu', 'a.b.eu.c', 'eu.eu'] },
    { pattern: 'order.#', matches: ['order', 'order.paid', 'order.paid.eu'], not: ['orders', 'a.order'] },
    { pattern: '#.paid', matches: ['paid', 'order.paid', 'a.b.paid'], not: ['paid.order', 'order.unpaid'] },
    { pattern: 'a.#.z', matches: ['a.z', 'a.b.z', 'a.b.c.z', 'a.z.z'], not: ['a', 'z', 'a.b', 'a.z.b'] },
    { pattern: '*.#', matches: ['a', 'a.b', 'a.b.c'], not: [''] },
    { pattern: '#.#', matches: ['', 'a', 'a.b'], not: [] },
    { pattern: '*', matches: ['a', 'a-b'], not: ['', 'a.b'] },
    { pattern: '#', matches: ['', 'a', 'a.b.c'], not: [] },
  ];
  for (const [i, { pattern, matches, not }] of topics.entries()) {
    it(`routes by the topic pattern ${pattern}`, async () => {
      const topic = await exchange({ word: 'topic', type: 'topic' });
      const queue = await boundQueue(topic, pattern, `q${i}`);
      await Promise.all(matches.map((key) => scene().publish(topic, key)));
      const returned = await Promise.all(not.map((key) => rejection(scene().publish(topic, key))));
      for (const error of returned) expect(error).to.have.property('code', 'JR_PUBLISH_RETURNED');
      expect(await scene().drain(queue)).to.deep.equal(matches);
    });
  }

  it('gives a copy to each queue that is bound, and one only to a queue that is bound twice', async () => {
    const topic = await exchange({ word: 'topic', type: 'topic' });
    const first = await boundQueue(topic, 'a.*', 'first');
    const second = await boundQueue(topic, '#', 'second');
    await scene().declare({ bindings: [{ source: topic, routingKey: '*.b', queue: first }] });
    await scene().publish(topic, 'a.b');
    expect(await scene().drain(first)).to.deep.equal(['a.b']);
    expect(await scene().drain(second)).to.deep.equal(['a.b']);
  });

  it('gives a fanout to every queue, whatever the routing key', async () => {
    const fanout = await exchange({ word: 'fanout', type: 'fanout' });
    const first = await boundQueue(fanout, '', 'first');
    const second = await boundQueue(fanout, 'some.key', 'second');
    await scene().publish(fanout, 'another.key', 'to all');
    expect(await scene().drain(first)).to.deep.equal(['to all']);
    expect(await scene().drain(second)).to.deep.equal(['to all']);
  });

  it('passes from exchange to exchange, by the pattern of each', async () => {
    const outer = await exchange({ word: 'outer', type: 'topic' });
    const inner = await exchange({ word: 'inner', type: 'topic' });
    await scene().declare({ bindings: [{ source: outer, routingKey: 'a.#', exchange: inner }] });
    const queue = await boundQueue(inner, '*.b', 'q');
    await scene().publish(outer, 'a.b');
    await rejection(scene().publish(outer, 'a.c'));
    await rejection(scene().publish(outer, 'c.b'));
    const delivery = await scene().take(queue);
    expect(delivery).to.include({ exchange: outer, routingKey: 'a.b', queue });
    expect(await scene().drain(queue)).to.deep.equal([]);
  });

  it('ends at exchanges that are bound in a circle', async () => {
    const one = await exchange({ word: 'one', type: 'fanout' });
    const two = await exchange({ word: 'two', type: 'fanout' });
    await scene().declare({
      bindings: [
        { source: one, routingKey: '', exchange: two },
        { source: two, routingKey: '', exchange: one },
      ],
    });
    const queue = await boundQueue(two, '', 'q');
    await scene().publish(one, 'k', 'once');
    expect(await scene().drain(queue)).to.deep.equal(['once']);
  });

  it('gives the alternate exchange what no binding matches, and nothing else', async () => {
    const lost = await exchange({ word: 'lost', type: 'fanout' });
    const found = await boundQueue(lost, '', 'found');
    const main = await exchange({ word: 'main', type: 'topic', alternate: lost });
    const queue = await boundQueue(main, 'known', 'q');
    await scene().publish(main, 'known');
    await scene().publish(main, 'unknown');
    expect(await scene().drain(queue)).to.deep.equal(['known']);
    const delivery = await scene().take(found);
    expect(delivery).to.include({ exchange: main, routingKey: 'unknown' });
    expect(await scene().drain(found)).to.deep.equal([]);
  });

  it('asks the alternate exchange of each exchange on the way', async () => {
    const lost = await exchange({ word: 'lost', type: 'fanout' });
    const found = await boundQueue(lost, '', 'found');
    const inner = await exchange({ word: 'inner', type: 'topic', alternate: lost });
    const outer = await exchange({ word: 'outer', type: 'topic' });
    await scene().declare({ bindings: [{ source: outer, routingKey: '#', exchange: inner }] });
    await scene().publish(outer, 'nobody');
    expect(await scene().drain(found)).to.deep.equal(['nobody']);
  });
}
