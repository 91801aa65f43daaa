import { expect } from 'chai';
import { once } from 'node:events';
import { Cancelled } from '../../src/index.js';
import { systemClock } from '../../src/base/clock.js';
import { cancelUntil, type ControlOrder } from '../../src/model/control.js';
import type { ControlEvent } from '../../src/model/event.js';
import { controlStream, laneQueue } from '../../src/model/topology.js';
import { sendControl } from '../../src/runtime/control.js';
import { until } from '../contract/recorder.js';
import { useStage } from './stage.js';
import { gate, lone, working } from './working.js';

describe('control messages', () => {
  const stage = useStage();

  /** Says something to all processes, as the CLI does. */
  async function say(order: ControlOrder): Promise<ControlEvent[]> {
    const told: ControlEvent[] = [];
    const events = {
      tell: (event: unknown) => void told.push(event as ControlEvent),
      tellOutcome: () => undefined,
    };
    const { broker } = stage.rail;
    await sendControl(order, { broker, prefix: stage.prefix, clock: systemClock, by: 'ada@test', events });
    return told;
  }

  const cancel = (job: string, reason?: string) =>
    say({ action: 'cancel', job, reason, until: cancelUntil(Date.now()) });

  const logged = (msg: string, count = 1) =>
    stage.signals.next(count, ({ detail }) => (detail as { msg?: string } | undefined)?.msg === msg);

  it('pauses a queue in all processes, and those started later; what runs goes on; resume goes on', async () => {
    const contract = lone('control-pause');
    const { opened, open } = gate();
    const handlers = [working(contract, () => opened)];
    const queues = { [contract.queue.name]: { concurrency: 1 } };
    const services = [await stage.start({ handlers, queues }), await stage.start({ handlers, queues })];
    await stage.client.enqueueMany(
      contract,
      ['a', 'b', 'c', 'd'].map((note) => ({ note })),
    );
    await stage.signals.next(2, { what: 'began' });

    const events = await say({ action: 'pause', queue: contract.queue.name });
    expect(events[0]).to.deep.include({
      kind: 'control',
      action: 'pause',
      subject: contract.queue.name,
      by: 'ada@test',
    });
    await logged('queue paused', 2);
    open();
    await stage.signals.next(2, { what: 'ended', outcome: 'completed' });
    const later = await stage.start({ handlers, queues });
    for (const service of [...services, later]) {
      expect(service.readiness()).to.deep.include({ ok: true, paused: [contract.queue.name] });
    }
    await until(
      async () => await stage.ready(laneQueue(stage.prefix, contract.queue, 0)),
      (count) => count === 2,
    );
    expect(stage.signals.of({ what: 'began' })).to.have.length(2);

    await say({ action: 'resume', queue: contract.queue.name });
    await stage.signals.next(4, { what: 'ended', outcome: 'completed' });
    expect(later.readiness()).not.to.have.property('paused');
  });

  it('leaves other queues alone', async () => {
    const paused = lone('control-still');
    const other = lone('control-other');
    const service = await stage.start({
      handlers: [working(paused, () => undefined), working(other, () => undefined)],
    });
    await say({ action: 'pause', queue: paused.queue.name });
    await logged('queue paused');
    await stage.client.enqueue(paused, { note: 'waits' });
    await stage.client.enqueue(other, { note: 'runs' });
    await stage.signals.first({ what: 'ended', contract: other.name });
    expect(stage.signals.of({ what: 'began', contract: paused.name })).to.have.length(0);
    await until(
      () => stage.ready(laneQueue(stage.prefix, paused.queue, 0)),
      (count) => count === 1,
    );
    expect(service.load[paused.queue.name]).to.include({ running: 0, held: 0 });
  });

  it('stops a job that runs, with a reason; it is neither retried nor kept', async () => {
    const contract = lone('control-running');
    const handler = working(contract, async (_, { signal }) => {
      await once(signal, 'abort');
      stage.signals.tell('reason', signal.reason);
      throw new Error('stopped halfway');
    });
    await stage.start({ handlers: [handler] });
    const dead = await stage.deadLetters(contract);
    const { id } = await stage.client.enqueue(contract, { note: 'wrong' });
    await stage.signals.first({ what: 'began', id });
    await cancel(id, 'sent twice');
    const { detail } = await stage.signals.first({ what: 'reason' });
    expect(detail).to.be.instanceOf(Cancelled).with.property('reason', 'sent twice');
    const ended = await stage.signals.first({ what: 'ended', id });
    expect(ended.detail).to.deep.equal({ kind: 'cancelled', reason: 'sent twice', ran: true });
    const [line] = await logged('job cancelled');
    expect(line!.detail).to.include({ job: id, reason: 'sent twice', outcome: 'cancelled' });
    expect(dead.all).to.have.length(0);
  });

  it('keeps a job from starting that waits, or is delayed, also in a process that is started later', async () => {
    const contract = lone('control-waiting');
    const waiting = await stage.client.enqueue(contract, { note: 'waits' });
    const delayed = await stage.client.enqueue(contract, { note: 'delayed' }, { delay: 300 });
    const wanted = await stage.client.enqueue(contract, { note: 'wanted' });
    await cancel(waiting.id);
    await cancel(delayed.id);
    const ran: string[] = [];
    await stage.start({ handlers: [working(contract, ({ note }) => ran.push(note))] });
    await stage.signals.first({ what: 'ended', id: waiting.id, outcome: 'cancelled' });
    await stage.signals.first({ what: 'ended', id: delayed.id, outcome: 'cancelled' });
    await stage.signals.first({ what: 'ended', id: wanted.id, outcome: 'completed' });
    expect(ran).to.deep.equal(['wanted']);
  });

  it('drains the processes of a service that run, not those that are started later', async () => {
    const contract = lone('control-drain');
    const handlers = [working(contract, () => undefined)];
    const one = stage.service({ handlers, name: 'mailer' });
    const over = one.run();
    const other = await stage.start({ handlers, name: 'another' });
    await stage.signals.when(() => one.state === 'running', 'the service to run');
    await say({ action: 'drain', service: 'mailer' });
    await over;
    expect(one.state).to.equal('stopped');
    expect(other.state).to.equal('running');
    const restarted = await stage.start({ handlers, name: 'mailer' });
    expect(restarted.state).to.equal('running');
    await stage.client.enqueue(contract, { note: 'still served' });
    await stage.signals.first({ what: 'ended', outcome: 'completed' });
  });

  it('is not stopped by what is no control message', async () => {
    const contract = lone('control-spoilt');
    const queue = contract.queue.name;
    const channel = await stage.channel();
    const spoilt = [
      'no json',
      '[]',
      'null',
      '{"v":1,"action":"pause"}',
      '{"v":2,"action":"pause","queue":"x","at":1,"by":"x"}',
      '{"v":1,"action":"__proto__","at":1,"by":"x"}',
    ];
    await say({ action: 'pause', queue });
    for (const body of spoilt) channel.sendToQueue(controlStream(stage.prefix), Buffer.from(body));
    const service = await stage.start({ handlers: [working(contract, () => undefined)] });
    expect(service.readiness()).to.deep.include({ ok: true, paused: [queue] });
    await logged('control message not understood', spoilt.length);
    await say({ action: 'resume', queue });
    await logged('queue resumed');
  });
});
