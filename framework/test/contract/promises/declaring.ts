import { expect } from 'chai';
import { TopologyError } from '../../../src/base/errors.js';
import { mergeTopologies, type Topology } from '../../../src/model/topology.js';
import { rejection } from '../rejection.js';
import type { Scene } from '../scene.js';

export function declaring(scene: () => Scene): void {
  const plan = (ttl: number): Topology => ({
    exchanges: [
      { name: scene().name('lost'), type: 'fanout' },
      { name: scene().name('x'), type: 'topic', alternate: scene().name('lost') },
    ],
    queues: [{ name: scene().name('q'), arguments: { 'x-queue-type': 'quorum', 'x-message-ttl': ttl } }],
    bindings: [{ source: scene().name('x'), routingKey: 'a.*', queue: scene().name('q') }],
  });
  const conflict = async (topology: Topology) => {
    const error = await rejection(scene().broker.declare(topology));
    expect(error).to.be.instanceOf(TopologyError).with.property('code', 'JR_TOPOLOGY_CONFLICT');
    return error.message;
  };

  it('does nothing for what exists as asked, and keeps what is in it', async () => {
    await scene().declare(plan(60_000));
    await scene().publish(scene().name('x'), 'a.b');
    await scene().declare(plan(60_000));
    const other = await scene().another();
    await Promise.all([other.declare(plan(60_000)), scene().broker.declare(plan(60_000))]);
    expect(await other.depth(scene().name('q'))).to.deep.equal({ messages: 1, consumers: 0 });
  });

  it('refuses a queue that exists with another argument, showing both values', async () => {
    await scene().declare(plan(60_000));
    const message = await conflict(plan(61_000));
    for (const shown of ['60000', '61000', 'x-message-ttl', scene().name('q')])
      expect(message).to.include(shown);
  });

  it('refuses a queue that exists without an argument, or with one more', async () => {
    await scene().declare(plan(60_000));
    const name = scene().name('q');
    const bare = {
      exchanges: [],
      queues: [{ name, arguments: { 'x-queue-type': 'quorum' as const } }],
      bindings: [],
    };
    expect(await conflict(bare))
      .to.include('x-message-ttl')
      .and.include('60000');
    const limited = plan(60_000);
    limited.queues[0]!.arguments['x-delivery-limit'] = 7;
    expect(await conflict(limited))
      .to.include('x-delivery-limit')
      .and.include('7');
  });

  it('refuses an exchange of another type, or with another alternate', async () => {
    await scene().declare(plan(60_000));
    const name = scene().name('x');
    const alternate = scene().name('lost');
    const exchange = (change: object) => ({
      exchanges: [{ name, type: 'topic' as const, alternate, ...change }],
      queues: [],
      bindings: [],
    });
    expect(await conflict(exchange({ type: 'fanout' })))
      .to.include(name)
      .and.include('fanout')
      .and.include('topic');
    expect(await conflict(exchange({ alternate: undefined }))).to.include(alternate);
    expect(await conflict(exchange({ alternate: 'elsewhere' })))
      .to.include('elsewhere')
      .and.include(alternate);
  });

  it('refuses a binding of what does not exist, naming it', async () => {
    await scene().declare(plan(60_000));
    const source = scene().name('x');
    const bindings = [
      { source, routingKey: 'a', queue: scene().name('missing') },
      { source, routingKey: 'a', exchange: scene().name('missing') },
      { source: scene().name('missing'), routingKey: 'a', queue: scene().name('q') },
    ];
    for (const binding of bindings) {
      const error = await rejection(
        scene().broker.declare({ exchanges: [], queues: [], bindings: [binding] }),
      );
      expect(error).to.be.instanceOf(TopologyError).with.property('code', 'JR_TOPOLOGY_MISSING');
      expect(error.message).to.include(scene().name('missing'));
    }
  });

  it('works on after a refusal', async () => {
    await scene().declare(plan(60_000));
    await conflict(plan(61_000));
    await scene().publish(scene().name('x'), 'a.b', 'still here');
    expect(await scene().drain(scene().name('q'))).to.deep.equal(['still here']);
  });

  it('removes queues with what is in them, and exchanges', async () => {
    await scene().declare(plan(60_000));
    await scene().publish(scene().name('x'), 'a.b');
    await scene().broker.remove(plan(60_000));
    expect(await scene().broker.depth(scene().name('q'))).to.equal(undefined);
    await scene().declare(plan(61_000));
    expect(await scene().broker.depth(scene().name('q'))).to.deep.equal({ messages: 0, consumers: 0 });
  });

  it('removes the bindings with the exchange that they leave', async () => {
    await scene().declare(plan(60_000));
    await scene().broker.remove({ exchanges: plan(0).exchanges, queues: [], bindings: [] });
    await scene().declare({ exchanges: plan(0).exchanges });
    const error = await rejection(scene().publish(scene().name('x'), 'a.b'));
    expect(error).to.have.property('code', 'JR_PUBLISH_RETURNED');
  });

  it('takes the removal of what does not exist for done', async () => {
    const nothing = mergeTopologies(plan(1));
    await scene().broker.remove(nothing);
    expect(await scene().broker.depth(scene().name('q'))).to.equal(undefined);
  });
}
