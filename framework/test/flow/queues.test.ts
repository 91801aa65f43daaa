import { expect } from 'chai';
import { z } from 'zod';
import { defineJob, defineQueue, Fatal } from '../../src/index.js';
import { deadExchange, deadQueue, lanesOf } from '../../src/model/topology.js';
import { until } from '../contract/recorder.js';
import { useStage } from './stage.js';
import { gate, lone, working } from './working.js';

describe('queues of a service', () => {
  const stage = useStage();

  it('are worked on side by side: one that is busy does not hold up another', async () => {
    const [busy, quick] = [lone('side-busy'), lone('side-quick')];
    const { opened, open } = gate();
    const service = await stage.start({
      handlers: [working(busy, () => opened), working(quick, () => undefined)],
      queues: { 'side-busy': { concurrency: 1 }, 'side-quick': { concurrency: 1 } },
    });
    const { id: stuck } = await stage.client.enqueue(busy, { note: '' });
    await stage.signals.first({ what: 'began', id: stuck });
    const { id } = await stage.client.enqueue(quick, { note: '' });
    await stage.signals.first({ what: 'ended', id });
    expect(service.load['side-busy']).to.include({ running: 1 });
    open();
    await stage.signals.first({ what: 'ended', id: stuck });
  });

  it('may have jobs of several contracts, each with its own handler', async () => {
    const queue = defineQueue('shared');
    const Add = defineJob('shared.add', { queue, payload: z.object({ a: z.number(), b: z.number() }) });
    const Upper = defineJob('shared.upper', { queue, payload: z.string() });
    await stage.start({
      handlers: [
        working(Add, ({ a, b }) => stage.signals.tell('sum', a + b)),
        working(Upper, (text) => stage.signals.tell('upper', text.toUpperCase())),
      ],
    });
    await stage.client.enqueue(Upper, 'x');
    await stage.client.enqueue(Add, { a: 1, b: 2 });
    expect((await stage.signals.first({ what: 'sum' })).detail).to.equal(3);
    expect((await stage.signals.first({ what: 'upper' })).detail).to.equal('X');
  });

  it('run as many jobs at a time as their concurrency says, and no more', async () => {
    const contract = lone('slots');
    const gates = Array.from({ length: 5 }, gate);
    let now = 0;
    let most = 0;
    const handler = working(contract, async ({ note }) => {
      most = Math.max(most, ++now);
      stage.signals.tell('inside', note);
      await gates[Number(note)]!.opened;
      now--;
    });
    await stage.start({ handlers: [handler], queues: { slots: { concurrency: 3 } } });
    await stage.client.enqueueMany(
      contract,
      gates.map((_, i) => ({ note: String(i) })),
    );
    await stage.signals.next(3, { what: 'inside' });
    for (const { open } of gates) open();
    await stage.signals.next(5, { what: 'ended' });
    expect(most).to.equal(3);
  });

  it('have a lane for each priority, each visible as a RabbitMQ queue of its own', async () => {
    const contract = lone('lanes', { priorities: 10 });
    const priorities = Array.from({ length: 10 }, (_, priority) => priority);
    for (const priority of priorities) {
      await stage.client.enqueueMany(contract, Array(priority + 1).fill({ note: String(priority) }), {
        priority,
      });
    }
    const lanes = lanesOf(stage.prefix, contract.queue);
    expect(lanes.map(({ name }) => name)).to.deep.equal(
      priorities.map((k) => `${stage.prefix}.lanes${k === 0 ? '' : `.p${k}`}`),
    );
    const depths = await Promise.all(lanes.map(({ name }) => stage.ready(name)));
    expect(depths).to.deep.equal(priorities.map((priority) => priority + 1));

    const seen = new Map<number, number>();
    const handler = working(contract, ({ note }, { priority }) => {
      expect(String(priority)).to.equal(note);
      seen.set(priority, (seen.get(priority) ?? 0) + 1);
    });
    await stage.start({ handlers: [handler] });
    await stage.signals.next(55, { what: 'ended', outcome: 'completed' });
    expect(priorities.map((priority) => seen.get(priority))).to.deep.equal(priorities.map((k) => k + 1));
  });

  it('are shared among services: each job is run once', async () => {
    const contract = lone('two-services');
    const ran: string[] = [];
    const handlers = [working(contract, ({ note }) => ran.push(note))];
    await stage.start({ handlers, name: 'one' });
    await stage.start({ handlers, name: 'two' });
    const notes = Array.from({ length: 40 }, (_, i) => String(i));
    await stage.client.enqueueMany(
      contract,
      notes.map((note) => ({ note })),
    );
    await stage.signals.next(40, { what: 'ended', outcome: 'completed' });
    expect(ran.sort()).to.deep.equal(notes.sort());
  });

  it('that somebody deletes while they are consumed are declared again, and consumed', async () => {
    const contract = lone('deleted');
    await stage.start({ handlers: [working(contract, () => undefined)] });
    await (await stage.channel()).deleteQueue(`${stage.prefix}.deleted`);
    await stage.signals.next(
      2,
      ({ what, detail }) => what === 'logged' && (detail as { msg: string }).msg === 'consumers registered',
    );
    await stage.client.enqueue(contract, { note: '' });
    await stage.signals.first({ what: 'ended', outcome: 'completed' });
  });

  it('get retries although somebody deleted the delay net', async () => {
    const contract = lone('net-deleted');
    const handler = working(
      contract,
      async (_, { attempt }) => {
        if (attempt === 3) return;
        if (attempt === 2) {
          const channel = await stage.channel();
          await channel.deleteExchange(`${stage.prefix}.delay.0`);
          await channel.deleteQueue(`${stage.prefix}.delay.0.1`);
        }
        throw new Error('not yet');
      },
      { retry: { attempts: 3, delayMs: () => 600, summary: '' } },
    );
    await stage.start({ handlers: [handler] });
    await stage.client.enqueue(contract, { note: '' });
    await stage.signals.first({ what: 'ended', attempt: 3, outcome: 'completed' });
  });

  it('get dead letters although somebody deleted the exchange for them', async () => {
    const contract = lone('dead-deleted');
    const handler = working(contract, async () => {
      const channel = await stage.channel();
      await channel.deleteExchange(deadExchange(stage.prefix));
      await channel.deleteQueue(deadQueue(stage.prefix, contract.queue));
      throw new Fatal('no');
    });
    await stage.start({ handlers: [handler] });
    const { id } = await stage.client.enqueue(contract, { note: '' });
    await stage.signals.first({ what: 'ended', outcome: 'dead' });
    const letters = await until(
      () => stage.ready(deadQueue(stage.prefix, contract.queue)),
      (count) => count === 1,
    );
    expect(letters).to.equal(1);
    const letter = await stage.rail.broker.get(deadQueue(stage.prefix, contract.queue));
    letter!.ack();
    expect(letter!.properties.messageId).to.equal(id);
  });
});
