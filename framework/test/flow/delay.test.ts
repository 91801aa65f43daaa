import { expect } from 'chai';
import { dayMs } from '../../src/base/duration.js';
import { header } from '../../src/model/envelope.js';
import { delayExchange, jobsExchange, laneQueue, unroutable } from '../../src/model/topology.js';
import { useStage } from './stage.js';
import { lone, working } from './working.js';

describe('a delayed job', () => {
  const stage = useStage();
  /** A handler that tells when each of its jobs began, by its note. */
  const timing = (contract: ReturnType<typeof lone>) =>
    working(contract, ({ note }) => stage.signals.tell(note, Date.now()));

  it('is never early: 1 ms, a timer alone, and three ways through the net', async () => {
    const contract = lone('delay-lengths');
    await stage.start({ handlers: [timing(contract)] });
    const delays = ['1ms', '40ms', '405ms', '407ms', '700ms', '1.2s'] as const;
    const due = new Map<string, number>();
    await Promise.all(
      delays.map(async (delay) => {
        due.set(delay, Date.now() + Number.parseFloat(delay) * (/\ds$/.test(delay) ? 1_000 : 1));
        await stage.client.enqueue(contract, { note: delay }, { delay });
      }),
    );
    for (const [delay, dueAt] of due) {
      const { detail: startedAt } = await stage.signals.first({ what: delay });
      expect(startedAt, delay).to.be.within(dueAt, dueAt + 3_000);
    }
  });

  it('never waits behind a longer one', async () => {
    const contract = lone('delay-short');
    await stage.start({ handlers: [timing(contract)] });
    await stage.client.enqueue(contract, { note: 'an hour' }, { delay: '1h' });
    await stage.client.enqueue(contract, { note: 'short' }, { delay: '600ms' });
    await stage.signals.first({ what: 'short' });
    expect(stage.signals.of({ what: 'an hour' })).to.deep.equal([]);
  });

  it('starts at runAt, and at once when that is past', async () => {
    const contract = lone('delay-run-at');
    await stage.start({ handlers: [timing(contract)] });
    const runAt = new Date(Date.now() + 450);
    await stage.client.enqueue(contract, { note: 'past' }, { runAt: new Date(0) });
    await stage.client.enqueue(contract, { note: 'later' }, { runAt });
    await stage.signals.first({ what: 'past' });
    expect((await stage.signals.first({ what: 'later' })).detail).to.be.at.least(runAt.getTime());
    expect(stage.signals.all.findIndex(({ what }) => what === 'past')).to.be.below(
      stage.signals.all.findIndex(({ what }) => what === 'later'),
    );
  });

  it('of a year waits in the TTL queue of its highest digit, its way written in the routing key', async () => {
    const contract = lone('delay-year', { priorities: 3 });
    await stage.client.enqueue(contract, { note: 'x' }, { delay: 365 * dayMs, priority: 2 });
    // (365 d - the margin of 150 ms) / 256 ms = 123,187,499 = 0x757b12b; enqueuing takes a moment, so not the last digit.
    const queue = `${delayExchange(stage.prefix, 6)}.7`;
    const waiting = await stage.rail.broker.get(queue);
    if (!waiting) throw new Error(`${queue} is empty`);
    expect(waiting.routingKey).to.match(/^7\.5\.7\.b\.1\.[12]\.[0-9a-f]\.delay-year~p2$/);
    waiting.requeue();
    expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 2))).to.equal(0);
  });

  it('comes out of the net into the lane of its priority', async () => {
    const contract = lone('delay-lane', { priorities: 3 });
    await stage.client.enqueue(contract, { note: 'x' }, { delay: 450, priority: 1 });
    const lane = laneQueue(stage.prefix, contract.queue, 1);
    const lanes = await stage.consume(lane);
    expect((await lanes.one()).queue).to.equal(lane);
  });

  it('that came far too early goes back into the net', async () => {
    const contract = lone('delay-postponed');
    const service = stage.service({ handlers: [timing(contract)] });
    service.use({
      name: 'look',
      attempt({ message }, next) {
        stage.signals.tell('came from', message.properties.headers['x-first-death-queue']);
        return next();
      },
    });
    await service.start();
    const dueAt = Date.now() + 1_400;
    // As a producer in another language sends it that knows only the header.
    await stage.rail.broker.publish({
      exchange: jobsExchange(stage.prefix),
      routingKey: contract.name,
      body: Buffer.from('{"note":"held"}'),
      properties: { messageId: 'early', type: contract.name, headers: { [header.dueAt]: dueAt } },
    });
    expect((await stage.signals.first({ what: 'held' })).detail).to.be.within(dueAt, dueAt + 3_000);
    const from = stage.signals.of({ what: 'came from' }).map(({ detail }) => detail);
    expect(from).to.have.length(1);
    expect(from[0]).to.include(delayExchange(stage.prefix, 0));
  });

  it('whose queue is gone when it comes out of the net is kept among the unroutable', async () => {
    const contract = lone('delay-unroutable');
    await stage.client.enqueue(contract, { note: 'declares the queue' }, { delay: '1h' });
    await (await stage.channel()).deleteQueue(laneQueue(stage.prefix, contract.queue, 0));
    const lost = await stage.consume(unroutable(stage.prefix));
    const { id } = await stage.client.enqueue(contract, { note: 'x' }, { delay: 600 });
    const { properties, body } = await lost.one();
    expect(properties).to.include({ messageId: id, type: 'delay-unroutable' });
    expect(body.toString()).to.equal('{"note":"x"}');
  });

  it('is still delayed when its queue was deleted and declared again', async () => {
    const contract = lone('delay-redeclared');
    await stage.client.enqueue(contract, { note: 'first' }, { delay: 420 });
    await (await stage.channel()).deleteQueue(laneQueue(stage.prefix, contract.queue, 0));
    await stage.start({ handlers: [timing(contract)] });
    await stage.client.enqueue(contract, { note: 'second' }, { delay: 420 });
    await stage.signals.first({ what: 'second' });
  });
});

describe('a job that expires', () => {
  const stage = useStage();

  it('before it is started is not run', async () => {
    const contract = lone('expires-waiting');
    const { id } = await stage.client.enqueue(contract, { note: 'old' }, { expiresIn: 1 });
    await stage.client.enqueue(contract, { note: 'kept' }, { expiresIn: '1h' });
    await stage.start({ handlers: [working(contract, ({ note }) => stage.signals.tell('ran', note))] });
    await stage.signals.first({ what: 'ran', detail: 'kept' });
    await stage.signals.first({ what: 'ended', id, outcome: 'expired' });
    expect(stage.signals.of({ what: 'ran', detail: 'old' })).to.deep.equal([]);
  });

  it('while its service was down, though it was delayed, is not run and is no dead letter', async () => {
    const contract = lone('expires-delayed');
    const dead = await stage.deadLetters(contract);
    const { id } = await stage.client.enqueue(contract, { note: 'old' }, { delay: 410, expiresIn: 450 });
    const tooLate = Date.now() + 450;
    await stage.signals.when(() => Date.now() > tooLate, 'the job to expire');
    const ran: string[] = [];
    await stage.start({ handlers: [working(contract, ({ note }) => ran.push(note))] });
    await stage.signals.first({ what: 'ended', id, outcome: 'expired' });
    await stage.client.enqueue(contract, { note: 'kept' }, { delay: 5, expiresIn: '1h' });
    await stage.signals.first({ what: 'ended', outcome: 'completed' });
    expect(ran).to.deep.equal(['kept']);
    expect(dead.all).to.deep.equal([]);
  });
});
