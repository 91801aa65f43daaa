import { expect } from 'chai';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Contract } from '../../src/index.js';
import { header } from '../../src/model/envelope.js';
import type { MessageHeaders } from '../../src/model/message.js';
import { jobsTopology, laneQueue, suspectsQueue } from '../../src/model/topology.js';
import { until } from '../contract/recorder.js';
import { type Match, type Sign } from '../flow/signals.js';
import { useStage } from '../flow/stage.js';
import { gate, lone, working } from '../flow/working.js';
import { TcpProxy } from './tcp-proxy.js';

describe('a job that was in hand when processes died', () => {
  const stage = useStage();

  const logged =
    (words: RegExp): Match =>
    ({ what, detail }: Sign) =>
      what === 'logged' && words.test((detail as { msg: string }).msg);
  const triedAlone = logged(/tried alone/);
  const waiting = (contract: Contract) =>
    Promise.all([
      stage.ready(laneQueue(stage.prefix, contract.queue, 0)),
      stage.ready(suspectsQueue(stage.prefix, contract.queue)),
    ]);

  const gone = (contract: Contract) =>
    until(
      () => waiting(contract),
      (depths) => depths.every((depth) => depth === 0),
    );

  /** A job among the suspects, as a worker puts it there. */
  async function accuse(contract: Contract, headers: MessageHeaders): Promise<string> {
    const id = randomUUID();
    stage.owns(contract);
    await stage.rail.broker.declare(jobsTopology(stage.prefix, [contract]));
    await stage.rail.broker.publish({
      exchange: '',
      routingKey: suspectsQueue(stage.prefix, contract.queue),
      body: Buffer.from('{"note":""}'),
      properties: {
        messageId: id,
        type: contract.name,
        headers: { [header.enqueuedAt]: Date.now(), ...headers },
      },
    });
    return id;
  }

  /** Takes the first job of a lane and lets go of it as a process does that dies. */
  async function failDelivery(contract: Contract): Promise<void> {
    const channel = await stage.channel();
    const queue = laneQueue(stage.prefix, contract.queue, 0);
    const message = await channel.get(queue);
    expect(message, `a message of ${queue}`).to.not.equal(false);
    await channel.close();
  }

  it('completes when nothing is wrong with it', async () => {
    const contract = lone('suspect-innocent');
    const id = await accuse(contract, { [header.deliveries]: 2 });
    await stage.start({ handlers: [working(contract, () => undefined)] });
    await stage.signals.first(triedAlone);
    await stage.signals.first({ what: 'ended', id, outcome: 'completed' });
    await gone(contract);
  });

  it('runs with nothing beside it, and what waited runs after it', async () => {
    const contract = lone('suspect-alone');
    const running: string[] = [];
    const { opened, open } = gate();
    const handler = working(contract, async ({ note }) => {
      running.push(note);
      if (note === '') await opened;
    });
    const id = await accuse(contract, { [header.deliveries]: 2 });
    const service = await stage.start({ handlers: [handler] });
    await stage.signals.first({ what: 'began', id });
    await stage.client.enqueue(contract, { note: 'beside' });
    await stage.signals.when(() => service.load['suspect-alone']!.held === 1, 'the other job in hand');
    expect(running).to.deep.equal(['']);
    open();
    await stage.signals.next(2, { what: 'ended', outcome: 'completed' });
    expect(running).to.deep.equal(['', 'beside']);
  });

  it('is not tried before it is due', async () => {
    const contract = lone('suspect-early');
    const { id } = await stage.client.enqueue(contract, { note: '' }, { delay: 390 }); // straight to its lane
    await failDelivery(contract);
    await failDelivery(contract);
    const dueAt = Date.now();
    await stage.start({ handlers: [working(contract, () => stage.signals.tell('ran', Date.now()))] });
    const { detail } = await stage.signals.first({ what: 'ran' });
    await stage.signals.first({ what: 'ended', id, outcome: 'completed' });
    expect(detail).to.be.at.least(dueAt);
  });

  it('is tried alone before it is condemned, however often it was in hand', async () => {
    const contract = lone('suspect-often');
    const { id } = await stage.client.enqueue(contract, { note: '' });
    for (let times = 0; times < 6; times++) await failDelivery(contract);
    const dead = await stage.deadLetters(contract);
    await stage.start({ handlers: [working(contract, () => undefined)] });
    await stage.signals.first(triedAlone);
    await stage.signals.first({ what: 'ended', id, outcome: 'completed' });
    expect(dead.all).to.have.length(0);
  });

  it('is a dead letter when it comes back from that', async () => {
    const contract = lone('suspect-guilty');
    await accuse(contract, { [header.deliveries]: 3 });
    const dead = await stage.deadLetters(contract);
    await stage.start({ handlers: [working(contract, () => undefined)] });
    const { properties } = await dead.one();
    expect(properties.headers[header.deadReason]).to.equal('crashed');
    expect(stage.signals.of({ what: 'began' })).to.have.length(0);
  });

  describe('and whose process only loses its connection while it tries it', () => {
    it('is claimed back and done once, and no other service condemns it', async () => {
      const contract = lone('suspect-cut');
      const dead = await stage.deadLetters(contract);
      const proxy = await TcpProxy.before(stage.rail.url);
      stage.atEnd(() => proxy.close());
      const { opened, open } = gate();
      const handlers = [working(contract, () => opened)];
      const id = await accuse(contract, { [header.deliveries]: 2 });
      await stage.start({ handlers, url: proxy.through(stage.rail.url) });
      await stage.signals.first({ what: 'began', id });
      await stage.start({ handlers, name: 'judge' });
      proxy.cut();
      await stage.signals.first(logged(/runs here already/));
      open();
      await stage.signals.first({ what: 'ended', id, outcome: 'completed' });
      await gone(contract);
      expect(stage.signals.of({ what: 'began' })).to.have.length(1);
      expect(dead.all).to.have.length(0);
    });

    it('is settled when it comes again after it has ended', async () => {
      const contract = lone('suspect-ended');
      const dead = await stage.deadLetters(contract);
      const proxy = await TcpProxy.before(stage.rail.url);
      stage.atEnd(() => proxy.close());
      const { opened, open } = gate();
      const id = await accuse(contract, { [header.deliveries]: 2 });
      const service = await stage.start({
        handlers: [working(contract, () => opened)],
        url: proxy.through(stage.rail.url),
      });
      await stage.signals.first({ what: 'began', id });
      proxy.refuse();
      proxy.cut();
      await stage.signals.when(() => !service.readiness().ok, 'the connection to be lost');
      open();
      await stage.signals.first({ what: 'ended', id, outcome: 'completed' });
      await until(
        () => waiting(contract),
        ([, suspects]) => suspects === 1,
      );
      proxy.allow();
      await gone(contract);
      await service.stop();
      expect(String(await waiting(contract))).to.equal('0,0');
      expect(dead.all).to.have.length(0);
    });
  });

  it('is no more suspect than before when its service stops while it tries it', async () => {
    const contract = lone('suspect-stopped');
    const stopped = working(contract, async (_, { signal }) => {
      await once(signal, 'abort');
      throw signal.reason;
    });
    const id = await accuse(contract, { [header.deliveries]: 2 });
    const dead = await stage.deadLetters(contract);
    for (let round = 1; round <= 2; round++) {
      const service = await stage.start({ handlers: [stopped], gracePeriod: '30ms' });
      await stage.signals.next(round, { what: 'began', id });
      await service.stop();
    }
    expect(await waiting(contract)).to.deep.equal([0, 1]);
    await stage.start({ handlers: [working(contract, () => undefined)] });
    await stage.signals.first({ what: 'ended', id, outcome: 'completed' });
    expect(dead.all).to.have.length(0);
  });

  for (const type of ['quorum', 'classic'] as const) {
    it(`is not one that services gave back when they stopped (${type})`, async () => {
      const contract = lone(`given-back-${type}`, { type });
      const { opened, open } = gate();
      const slow = working(contract, ({ note }) => (note === 'slow' ? opened : undefined), {
        timeout: '10s',
      });
      const queues = { [contract.queue.name]: { concurrency: 1, prefetch: 2 } };
      const { id } = await stage.client.enqueue(contract, { note: 'waits' });
      for (let round = 1; round <= 4; round++) {
        // Kept from being started: the slow one is in front, and is given back itself, too.
        const service = stage.service({
          handlers: [slow],
          queues,
          gracePeriod: '30ms',
          name: `round ${round}`,
        });
        await stage.client.enqueue(contract, { note: 'slow' });
        await service.start();
        await stage.signals.when(() => service.load[contract.queue.name]!.running === 1, 'a job to run');
        await service.stop();
      }
      open();
      await stage.start({ handlers: [slow] });
      await stage.signals.first({ what: 'ended', id, outcome: 'completed' });
      expect(stage.signals.of(triedAlone)).to.have.length(0);
    });
  }
});
