import { expect } from 'chai';
import { numbered, type Scene, texts } from '../scene.js';

export function ordering(scene: () => Scene): void {
  it('keeps the order of each of two queues over 5,000 messages', async () => {
    const queues = [await scene().queue('one'), await scene().queue('two')];
    const bodies = numbered(2_500);
    const { deliveries } = await scene().consume(queues, {
      prefetch: 200,
      settle: (delivery) => delivery.ack(),
    });
    await Promise.all(bodies.flatMap((body) => queues.map((queue) => scene().publish(queue, 'key', body))));
    const seen = await deliveries.next(5_000);
    for (const queue of queues) {
      expect(texts(seen.filter((delivery) => delivery.queue === queue))).to.deep.equal(bodies);
    }
  });

  it('brings the lanes of a queue on one subscription, each delivery naming its lane', async () => {
    const lanes = [
      await scene().queue('jobs'),
      await scene().queue('jobs.p1'),
      await scene().queue('jobs.p2'),
    ];
    for (const lane of lanes) await scene().send(lane, [`${lane} a`, `${lane} b`]);
    const { deliveries, subscription } = await scene().consume(lanes, { prefetch: [1, 1, 2] });
    const held = await deliveries.next(4);
    const byLane = lanes.map((lane) => texts(held.filter(({ queue }) => queue === lane)));
    expect(byLane).to.deep.equal(
      lanes.map((lane, i) => (i === 2 ? [`${lane} a`, `${lane} b`] : [`${lane} a`])),
    );
    await subscription.close();
    for (const lane of lanes) expect(await scene().depthWithoutConsumers(lane)).to.equal(2);
  });

  it('delivers the most urgent first from a classic queue with x-max-priority, equals in order', async () => {
    const queue = await scene().queue('q', { 'x-queue-type': 'classic', 'x-max-priority': 3 });
    const priorities = [0, 1, 9, 3, undefined, 2, 1];
    for (const [i, priority] of priorities.entries()) await scene().send(queue, [`m${i}`], { priority });
    const urgentFirst = ['m2', 'm3', 'm5', 'm1', 'm6', 'm0', 'm4']; // above the maximum is the maximum
    const first = await scene().consume([queue]);
    expect(texts(await first.deliveries.next(7))).to.deep.equal(urgentFirst);
    await first.subscription.close();
    const again = await scene().consume([queue]);
    expect(texts(await again.deliveries.next(7))).to.deep.equal(urgentFirst);
  });

  it('brings the priority of a message', async () => {
    const queue = await scene().queue('q', { 'x-queue-type': 'classic', 'x-max-priority': 3 });
    await scene().send(queue, ['a'], { priority: 2 });
    expect((await scene().take(queue)).properties.priority).to.equal(2);
  });
}
