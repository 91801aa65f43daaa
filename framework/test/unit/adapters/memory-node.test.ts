import { expect } from 'chai';
import { MemoryBroker } from '../../../src/adapters/memory/memory-broker.js';
import { MemoryNode } from '../../../src/adapters/memory/memory-node.js';
import type { Clock } from '../../../src/base/clock.js';
import { VirtualClock } from '../../../src/base/virtual-clock.js';
import type { QueueArguments, Topology } from '../../../src/model/topology.js';
import type { Delivery } from '../../../src/ports/broker.js';

const queue = (name: string, args: Partial<QueueArguments> = {}): Topology => ({
  exchanges: [{ name, type: 'fanout' }],
  queues: [{ name, arguments: { 'x-queue-type': 'quorum', ...args } }],
  bindings: [{ source: name, routingKey: '', queue: name }],
});

describe('MemoryNode', () => {
  const clock = new VirtualClock();
  let node: MemoryNode;
  let broker: MemoryBroker;

  beforeEach(() => {
    node = new MemoryNode(clock);
    broker = new MemoryBroker({ node });
  });
  afterEach(() => broker.close());

  const send = (exchange: string, body: string) =>
    broker.publish({ exchange, routingKey: 'k', body: Buffer.from(body), properties: { headers: {} } });
  const quiet = async () => {
    while (!node.idle) await node.changed();
  };

  it('counts what is ready and what is unacked in each queue', async () => {
    await broker.declare(queue('q'));
    const held: Delivery[] = [];
    await broker.consume({
      queues: [{ name: 'q', prefetch: 2 }],
      onDelivery: (delivery) => held.push(delivery),
    });
    await Promise.all(['a', 'b', 'c'].map((body) => send('q', body)));
    await quiet();
    expect(node.counts().get('q')).to.deep.equal({ ready: 1, unacked: 2, consumers: 1 });
    held[0]!.ack();
    await quiet();
    expect(node.counts().get('q')).to.deep.equal({ ready: 0, unacked: 2, consumers: 1 });
  });

  it('is not idle between a publish and what follows from it', async () => {
    await broker.declare(queue('q'));
    const seen: string[] = [];
    await broker.consume({
      queues: [{ name: 'q', prefetch: 1 }],
      onDelivery(delivery) {
        seen.push(delivery.body.toString());
        delivery.ack();
      },
    });
    await quiet();
    void send('q', 'a');
    expect(node.idle).to.equal(false);
    expect(seen).to.deep.equal([]);
    await quiet();
    expect(seen).to.deep.equal(['a']);
    expect(node.counts().get('q')).to.deep.equal({ ready: 0, unacked: 0, consumers: 1 });
  });

  it('takes a message through any number of hops in one move of the clock', async () => {
    const hops = 5;
    for (let hop = hops; hop >= 0; hop--) {
      const next: Partial<QueueArguments> =
        hop === hops ? {} : { 'x-message-ttl': 3_600_000, 'x-dead-letter-exchange': `hop${hop + 1}` };
      await broker.declare(queue(`hop${hop}`, next));
    }
    await send('hop0', 'traveller');
    clock.advance(hops * 3_600_000 - 1);
    expect(node.counts().get('hop5')!.ready).to.equal(0);
    clock.advance(1);
    expect(node.counts().get('hop5')!.ready).to.equal(1);
  });

  it('shows every message to each broker that shares the node', async () => {
    const other = new MemoryBroker({ node });
    await broker.declare(queue('q'));
    await send('q', 'a');
    expect(await other.depth('q')).to.deep.equal({ messages: 1, consumers: 0 });
    const taken = await other.get('q');
    await other.close();
    expect(taken!.stale).to.equal(true);
    expect(await broker.depth('q')).to.deep.equal({ messages: 1, consumers: 0 });
  });

  it('goes on waiting when a timer comes early', async () => {
    // As on a machine: a timer holds 24.8 days at most.
    const capped: Clock = {
      now: () => clock.now(),
      setTimer: (ms, fire) => clock.setTimer(Math.min(ms, 2 ** 31 - 1), fire),
    };
    const long = new MemoryBroker({ clock: capped });
    await long.declare(queue('dead'));
    await long.declare(queue('q', { 'x-message-ttl': 60 * 86_400_000, 'x-dead-letter-exchange': 'dead' }));
    await long.publish({
      exchange: 'q',
      routingKey: '',
      body: Buffer.from('a'),
      properties: { headers: {} },
    });
    clock.advance(60 * 86_400_000 - 1);
    expect(long.node.counts().get('q')!.ready).to.equal(1);
    clock.advance(1);
    expect(long.node.counts().get('q')!.ready).to.equal(0);
    expect(long.node.counts().get('dead')!.ready).to.equal(1);
    await long.close();
  });

  it('leaves no timer behind when the queue of an expiring message is removed', async () => {
    const own = new VirtualClock();
    const other = new MemoryBroker({ clock: own });
    await other.declare(queue('q', { 'x-message-ttl': 1_000 }));
    await other.publish({
      exchange: 'q',
      routingKey: '',
      body: Buffer.from('a'),
      properties: { headers: {} },
    });
    expect(own.nextAt).to.equal(own.now() + 1_000);
    await other.remove(queue('q'));
    expect(own.nextAt).to.equal(undefined);
    await other.close();
  });

  it('keeps what it was given, whatever the producer does with it afterwards', async () => {
    await broker.declare(queue('q'));
    const body = Buffer.from('as sent');
    const headers = { list: ['as sent'] };
    const published = broker.publish({ exchange: 'q', routingKey: '', body, properties: { headers } });
    body.fill(0);
    headers.list.push('changed');
    await published;
    const delivery = (await broker.get('q'))!;
    expect(delivery.body.toString()).to.equal('as sent');
    expect(delivery.properties.headers).to.deep.equal({ list: ['as sent'] });
  });
});
