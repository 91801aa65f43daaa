import { expect } from 'chai';
import fc from 'fast-check';
import { MemoryBroker } from '../../../src/adapters/memory/memory-broker.js';
import { VirtualClock } from '../../../src/base/virtual-clock.js';
import { defineQueue } from '../../../src/model/contract.js';
import { longestDelayMs, holdMs, levels, radix, routeDelay, routeMs } from '../../../src/model/delay.js';
import {
  delayPath,
  deliverExchange,
  laneQueue,
  laneToken,
  lanesOf,
  mergeTopologies,
  type Topology,
  unroutable,
  wholeDelayNet,
} from '../../../src/model/topology.js';

const email = defineQueue('email', { priorities: 2 });

/** The lanes and how the net reaches them. */
function lanes(prefix: string): Topology {
  return {
    exchanges: [],
    queues: lanesOf(prefix, email).map(({ name }) => ({ name, arguments: { 'x-queue-type': 'quorum' } })),
    bindings: lanesOf(prefix, email).map(({ name, token }) => ({
      source: deliverExchange(prefix),
      routingKey: `${'*.'.repeat(levels)}${token}`,
      queue: name,
    })),
  };
}

describe('the delay net', () => {
  let broker: MemoryBroker;
  let clock: VirtualClock;

  beforeEach(async () => {
    clock = new VirtualClock();
    broker = new MemoryBroker({ clock });
    await broker.declare(mergeTopologies(wholeDelayNet('p'), lanes('p')));
  });
  afterEach(() => broker.close());

  const send = async (delayMs: number, priority: number) => {
    const route = routeDelay(delayMs)!;
    const { exchange, routingKey } = delayPath('p', route, laneToken(email, priority));
    const body = Buffer.from(String(delayMs));
    await broker.publish({ exchange, routingKey, body, properties: { headers: {} } });
    return routeMs(route);
  };
  const ready = (queue: string) => broker.node.counts().get(queue)!.ready;

  it('holds any message exactly as long as its route says, then gives it to its lane and nowhere else', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: holdMs, max: longestDelayMs }),
        fc.constantFrom(0, 1),
        async (delayMs, priority) => {
          const lane = laneQueue('p', email, priority);
          const heldMs = await send(delayMs, priority);
          clock.advance(heldMs - 1);
          expect(ready(lane)).to.equal(0);
          clock.advance(1);
          expect(ready(lane)).to.equal(1);
          expect(ready(laneQueue('p', email, 1 - priority))).to.equal(0);
          const delivery = (await broker.get(lane))!;
          expect(delivery.body.toString()).to.equal(String(delayMs));
          delivery.ack();
        },
      ),
      { numRuns: 200 },
    );
    expect(ready(unroutable('p'))).to.equal(0);
  });

  it('lets each of many messages out at its own time, whatever else waits', async () => {
    const lane = laneQueue('p', email, 0);
    const delays = fc.sample(fc.integer({ min: holdMs, max: 3_600_000 }), { numRuns: 300, seed: 7 });
    const held = await Promise.all(delays.map((delayMs) => send(delayMs, 0)));
    for (const [count, dueIn] of held.sort((a, b) => a - b).entries()) {
      clock.advance(clock.nextAt === undefined ? 0 : Math.max(0, dueIn - elapsed()));
      expect(ready(lane)).to.be.at.least(count + 1);
    }
    expect(ready(lane)).to.equal(300);
  });

  const startedAt = new VirtualClock().now();
  const elapsed = () => clock.now() - startedAt;

  it('is in parts that together are the whole', () => {
    const parts = Array.from({ length: levels }, (_, level) =>
      Array.from({ length: radix }, (_, digit) => {
        const digits = Array.from({ length: levels }, (_, at) => (at === level ? digit : 0));
        return delayPath('p', { level, digits }, 'email').topology;
      }),
    ).flat();
    const names = ({ exchanges, queues, bindings }: Topology) => ({
      exchanges: exchanges.map(({ name }) => name).sort(),
      queues: queues.map(({ name }) => name).sort(),
      bindings: bindings.map((binding) => JSON.stringify(binding)).sort(),
    });
    expect(names(mergeTopologies(...parts))).to.deep.equal(names(wholeDelayNet('p')));
  });
});
