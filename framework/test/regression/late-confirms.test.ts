import { expect } from 'chai';
import { PublishError } from '../../src/index.js';
import { VirtualClock } from '../../src/base/virtual-clock.js';
import { laneQueue } from '../../src/model/topology.js';
import { useStage } from '../flow/stage.js';
import { lone } from '../flow/working.js';
import { ConfirmFilter } from './confirm-filter.js';

/*
 * Seen by `npm run chaos`, broker-kill: a broker that took longer to confirm than the publish timeout got every message
 * up to twelve times. Each message that came to its deadline replaced the channel, and with it all others were sent again.
 */
describe('a broker that confirms nothing', () => {
  const stage = useStage();

  it('gets each message again once for each half of the timeout, not for each message that is given up', async () => {
    const filter = await ConfirmFilter.before(stage.rail.url);
    stage.atEnd(() => filter.close());
    const clock = new VirtualClock(Date.now());
    const url = filter.through(stage.rail.url);
    const client = stage.newClient({ url, clock, publishTimeout: '1s', events: 'off' });
    const contract = lone('late-confirms');
    await client.enqueue(contract, { note: 'declares the queue' });

    filter.swallowing = true;
    filter.onSwallowed = () => stage.signals.tell('confirm kept back');
    const enqueued: Promise<unknown>[] = [];
    const count = 30;
    for (let sent = 1; sent <= count; sent++) {
      enqueued.push(client.enqueue(contract, { note: '' }).catch((error: unknown) => error));
      clock.advance(50);
      // What was sent, and sent again, has reached the queue.
      await stage.signals.next(sent, { what: 'confirm kept back' });
    }
    filter.swallowing = false;
    clock.advance(1_000);
    for (const outcome of await Promise.all(enqueued)) {
      if (outcome instanceof PublishError) expect(outcome.maybeAccepted).to.equal(true);
    }
    const arrived = await stage.ready(laneQueue(stage.prefix, contract.queue, 0));
    expect(arrived).to.be.within(1 + count, 1 + 3 * count);
  });
});
