import { expect } from 'chai';
import { z } from 'zod';
import { defineJob, defineQueue, Discard, Fatal, Snooze } from '../../src/index.js';
import type { Contract } from '../../src/index.js';
import type { EventBatch, JobEvent, RailEvent } from '../../src/model/event.js';
import { eventsStream, eventsTopology } from '../../src/model/topology.js';
import { useStage } from './stage.js';
import { gate, lone, working } from './working.js';

describe('the event stream', () => {
  const stage = useStage();
  let batches: EventBatch[];

  const told = (): RailEvent[] => batches.flatMap(({ events }) => events);
  const about = (job: string) =>
    told().filter((event): event is JobEvent => 'job' in event && event.job === job);
  const kinds = (job: string) => about(job).map(({ kind }) => kind);

  /** The event of that kind of a job, when it has come. */
  function event<K extends RailEvent['kind']>(kind: K, job?: string) {
    const fits = (each: RailEvent): each is Extract<RailEvent, { kind: K }> =>
      each.kind === kind && (job === undefined || ('job' in each && each.job === job));
    return stage.signals.when(() => told().find(fits), `event ${kind} of ${job ?? 'any job'}`);
  }

  beforeEach(async () => {
    batches = [];
    const { broker } = stage.rail;
    await broker.declare(eventsTopology(stage.prefix));
    const reading = await broker.readStream({
      stream: eventsStream(stage.prefix),
      from: 'next',
      onMessage(message) {
        batches.push(JSON.parse(message.body.toString()) as EventBatch);
        message.ack();
      },
    });
    stage.atEnd(() => reading.close());
  });

  it('tells of each job of a pack what it tells of any', async () => {
    const contract = lone('told-pack');
    await stage.start({ handlers: [working(contract, () => undefined)] });
    const payloads = ['a', 'bb'].map((note) => ({ note }));
    const jobs = await stage.client.enqueueMany(contract, payloads, { pack: 2 });
    for (const [i, { id }] of jobs.entries()) {
      const { contract: of, payload, payloadBytes, enqueuedAt, rootId } = await event('enqueued', id);
      expect({ of, payload, payloadBytes, rootId }).to.deep.equal({
        of: 'told-pack',
        payload: payloads[i],
        payloadBytes: 12 + i,
        rootId: undefined,
      });
      const completed = await event('completed', id);
      expect(completed.facts).to.include({ producer: 'test' });
      expect(completed.facts!.enqueuedAt).to.be.within(enqueuedAt - 1_000, enqueuedAt);
      expect(kinds(id)).to.have.members(['enqueued', 'completed']);
    }
  });

  it('tells that a job was enqueued, with what is known of it, and how it ended', async () => {
    const contract = lone('told-done', { priorities: 2 });
    await stage.start({ handlers: [working(contract, () => ({ sent: 3 }))], name: 'doer' });
    const { id } = await stage.client.enqueue(contract, { note: 'hello' }, { priority: 1, expiresIn: '1h' });
    const enqueued = await event('enqueued', id);
    expect(enqueued).to.include({ contract: 'told-done', queue: 'told-done', priority: 1, producer: 'test' });
    expect(enqueued).to.have.property('payloadBytes', 16);
    expect(enqueued.payload).to.deep.equal({ note: 'hello' });
    expect(enqueued.expiresAt! - enqueued.enqueuedAt).to.equal(3_600_000);
    const completed = await event('completed', id);
    expect(completed).to.include({ attempt: 1, resultBytes: 10 });
    expect(completed.at).to.be.at.least(completed.startedAt);
    expect(completed.facts).to.include({ priority: 1, enqueuedAt: enqueued.enqueuedAt });
    const sender = batches.find(({ events }) => events.some(({ kind }) => kind === 'completed'))!.from;
    expect(sender).to.include({ service: 'doer', pid: process.pid });
  });

  it('tells each attempt: retried with its error and payload, then dead with its reason', async () => {
    const contract = lone('told-dead');
    const handler = working(contract, (_, { attempt }) => {
      throw attempt === 2 ? new Fatal('no such user') : new RangeError('out of range');
    });
    await stage.start({ handlers: [handler] });
    const { id } = await stage.client.enqueue(contract, { note: 'x' });
    const retried = await event('retried', id);
    expect(retried).to.have.property('attempt', 1);
    expect(retried.error).to.include({ name: 'RangeError', message: 'out of range' });
    expect(retried.error.fingerprint).to.match(/^[0-9a-f]{12}$/);
    expect(retried.nextAt).to.be.at.least(retried.at);
    expect(retried.payload).to.deep.equal({ note: 'x' });
    const dead = await event('dead', id);
    expect(dead).to.include({ attempt: 2, reason: 'fatal' });
    expect(dead.error.message).to.equal('no such user');
  });

  it('tells start, progress and log lines of an attempt that lasts, before its end', async () => {
    const contract = lone('told-long');
    const { opened, open } = gate();
    const handler = working(contract, async (_, job) => {
      job.log.info('half of it');
      job.progress(0.5, 'page 1 of 2');
      await opened;
    });
    await stage.start({ handlers: [handler] });
    const { id } = await stage.client.enqueue(contract, { note: '' });
    expect(await event('log', id)).to.include({ level: 'info', message: 'half of it', attempt: 1 });
    expect(await event('progress', id)).to.include({ fraction: 0.5, note: 'page 1 of 2' });
    expect(await event('started', id)).to.include({ attempt: 1 });
    open();
    const completed = await event('completed', id);
    expect(completed).to.not.have.property('facts');
    const own = kinds(id).filter((kind) => kind !== 'enqueued');
    expect(own.at(-1)).to.equal('completed');
    expect(own).to.have.members(['log', 'progress', 'started', 'completed']);
  });

  it('tells snoozed, discarded and expired', async () => {
    const contract = lone('told-rest');
    let naps = 1;
    const handler = working(contract, ({ note }) => {
      if (note === 'nap' && naps-- > 0) throw new Snooze({ in: 5 });
      if (note === 'nap') throw new Discard('not wanted any more');
    });
    const late = await stage.client.enqueue(contract, { note: '' }, { expiresIn: 1 });
    await stage.signals.when(() => Date.now() > 0, 'a turn');
    await stage.start({ handlers: [handler] });
    const { id } = await stage.client.enqueue(contract, { note: 'nap' });
    expect(await event('snoozed', id)).to.have.property('attempt', 1);
    expect(await event('discarded', id)).to.include({ attempt: 1, reason: 'not wanted any more' });
    expect(await event('expired', late.id)).to.have.property('attempt', 1);
  });

  it('shows no field of a payload that its contract calls secret', async () => {
    const contract = defineJob('told-secret', {
      queue: defineQueue('told-secret'),
      payload: z.object({ user: z.string(), cards: z.array(z.object({ number: z.string() })) }),
      secret: ['cards.*.number'],
    });
    const payload = { user: 'ada', cards: [{ number: '4111' }, { number: '4222' }] };
    const handler = working(contract as Contract, () => {
      throw new Fatal('never');
    });
    await stage.start({ handlers: [handler] });
    const { id } = await stage.client.enqueue(contract, payload);
    const shown = { user: 'ada', cards: [{ number: '***' }, { number: '***' }] };
    expect((await event('enqueued', id)).payload).to.deep.equal(shown);
    expect((await event('dead', id)).payload).to.deep.equal(shown);
    expect(JSON.stringify(batches)).to.not.match(/4111|4222/);
  });

  it('tells the size of a payload with a field of 10 MB, and leaves it out', async () => {
    const contract = lone('told-huge');
    const handler = working(contract, () => {
      throw new Fatal('too much to read');
    });
    await stage.start({ handlers: [handler] });
    const client = stage.newClient({ maxPayloadBytes: 15_000_000 });
    const { id } = await client.enqueue(contract, { note: 'x'.repeat(10_000_000) });
    const enqueued = await event('enqueued', id);
    expect(enqueued.payloadBytes).to.equal(10_000_011);
    expect(enqueued).not.to.have.property('payload');
    expect(await event('dead', id)).not.to.have.property('payload');
  });

  it('has the heartbeat of a service, and its last one when it stops', async () => {
    const contract = lone('told-beat');
    const service = await stage.start({ handlers: [working(contract, () => undefined)], name: 'beating' });
    const beat = await event('heartbeat');
    expect(beat.queues[0]).to.include({ name: 'told-beat', running: 0, ready: true });
    expect(beat.rssBytes).to.be.above(1e6);
    await service.stop();
    await stage.signals.when(
      () => told().some((each) => each.kind === 'heartbeat' && each.state === 'stopping'),
      'the last heartbeat',
    );
  });

  it('numbers the batches of a sender without a gap, in the order of what happened', async () => {
    const contract = lone('told-order');
    await stage.start({ handlers: [working(contract, () => undefined)], name: 'orderly' });
    const many = Array.from({ length: 300 }, (_, i) => ({ note: String(i) }));
    await stage.client.enqueueMany(contract, many);
    await stage.signals.when(
      () => told().filter(({ kind }) => kind === 'completed').length === many.length,
      'all outcomes',
    );
    const seqs = batches.filter(({ from }) => from.service === 'orderly').map(({ seq }) => seq);
    expect(seqs).to.deep.equal(seqs.map((_, i) => i + 1));
  });

  it('has nothing of a client and a service that are told to be silent', async () => {
    const contract = lone('told-nothing');
    await stage.start({ handlers: [working(contract, () => undefined)], events: 'off' });
    const { id } = await stage.newClient({ events: 'off' }).enqueue(contract, { note: '' });
    await stage.signals.first({ what: 'ended', id });
    const loud = lone('told-something');
    const { id: after } = await stage.client.enqueue(loud, { note: '' });
    await event('enqueued', after);
    expect(about(id)).to.deep.equal([]);
  });
});
