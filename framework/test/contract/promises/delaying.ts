import { expect } from 'chai';
import { type DelayRoute, levels, longestDelayMs, routeDelay, routeMs } from '../../../src/model/delay.js';
import { delayPath, deliverExchange, unroutable } from '../../../src/model/topology.js';
import type { Delivery } from '../../../src/ports/broker.js';
import { Recorder } from '../recorder.js';
import { type Scene, text } from '../scene.js';

export function delaying(scene: () => Scene): void {
  /** Sends through the net to the lane `email`. */
  const send = async (route: DelayRoute, body: string) => {
    const { exchange, routingKey, topology } = delayPath(scene().prefix, route, 'email');
    await scene().declare(topology);
    await scene().publish(exchange, routingKey, body);
  };

  /** The lane, where the net delivers to; `arrivals` has what came and how long after `since`. */
  const lane = async () => {
    const queue = await scene().queue('email');
    await scene().declare({
      exchanges: [
        { name: deliverExchange(scene().prefix), type: 'topic', alternate: unroutable(scene().prefix) },
      ],
      bindings: [
        { source: deliverExchange(scene().prefix), routingKey: `${'*.'.repeat(levels)}email`, queue },
      ],
    });
    const arrivals = new Recorder<{ body: string; afterMs: number; delivery: Delivery }>(
      'arrivals',
      ({ body, afterMs }) => `${body} after ${afterMs} ms`,
    );
    const since = Date.now();
    await scene().consume([queue], {
      settle(delivery) {
        arrivals.record({ body: text(delivery), afterMs: Date.now() - since, delivery });
        delivery.ack();
      },
    });
    return { arrivals, elapsed: () => Date.now() - since };
  };

  it('delivers a short delay to its lane when its time is over, not before', async () => {
    const { arrivals, elapsed } = await lane();
    const route = routeDelay(700)!;
    expect(routeMs(route)).to.equal(512);
    const sentAfter = elapsed();
    await send(route, 'short');
    const { body, afterMs, delivery } = await arrivals.one();
    expect(body).to.equal('short');
    expect(afterMs - sentAfter).to.be.at.least(511);
    expect(delivery).to.include({
      exchange: deliverExchange(scene().prefix),
      routingKey: '0.0.0.0.0.0.2.email',
    });
  });

  it('lets no message wait behind a longer one', async () => {
    const { arrivals } = await lane();
    await send(routeDelay(3_600_000)!, 'an hour');
    await send(routeDelay(1_200)!, 'longer');
    await send(routeDelay(450)!, 'short');
    const bodies = (await arrivals.next(2)).map(({ body }) => body);
    expect(bodies).to.deep.equal(['short', 'longer']);
  });

  it('passes straight through the levels where it has nothing to wait for', async () => {
    const { arrivals, elapsed } = await lane();
    const top = levels - 1;
    const sentAfter = elapsed();
    await send({ level: top, digits: [1, 0, 0, 0, 0, 0, 0] }, 'from the top');
    const { afterMs } = await arrivals.one();
    expect(afterMs - sentAfter).to.be.within(255, 2_000);
  });

  it('waits at each level that it has a digit for', async () => {
    const { arrivals, elapsed } = await lane();
    const route = routeDelay(4_096 + 512 + 200)!;
    expect(route).to.deep.include({ level: 1 }).and.have.property('digits').that.includes.members([2, 1]);
    const sentAfter = elapsed();
    await send(route, 'two waits');
    const { afterMs, delivery } = await arrivals.one();
    expect(afterMs - sentAfter).to.be.at.least(routeMs(route) - 2);
    expect(delivery.properties.headers['x-death']).to.have.length(2);
  }).slow(12_000);

  it('takes the longest delay in', async () => {
    const path = delayPath(scene().prefix, routeDelay(longestDelayMs)!, 'email');
    await scene().declare(path.topology);
    await scene().publish(path.exchange, path.routingKey, 'a year');
    const entry = path.topology.bindings.find(({ source, queue }) => source === path.exchange && queue)!;
    expect(await scene().broker.depth(entry.queue!)).to.deep.equal({ messages: 1, consumers: 0 });
  });

  it('keeps what comes out of the net and finds its lane gone', async () => {
    const path = delayPath(scene().prefix, routeDelay(450)!, 'nowhere');
    await scene().declare(path.topology);
    await scene().publish(path.exchange, path.routingKey, 'orphan');
    expect(text(await scene().take(unroutable(scene().prefix)))).to.equal('orphan');
  });
}
