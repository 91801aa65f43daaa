import { expect } from 'chai';
import { BatchError, Fatal, fixed, type JobContext, OptionError } from '../../src/index.js';
import { header } from '../../src/model/envelope.js';
import { packEncoding, readPack } from '../../src/model/pack.js';
import { jobsTopology, laneQueue } from '../../src/model/topology.js';
import { rejection } from '../contract/rejection.js';
import { until } from '../contract/recorder.js';
import { useStage } from './stage.js';
import { gate, lone, working } from './working.js';

describe('jobs that share a message', () => {
  const stage = useStage();

  const notes = (count: number) => Array.from({ length: count }, (_, i) => ({ note: `n${i}` }));
  const lane = (contract: ReturnType<typeof lone>, priority = 0) =>
    laneQueue(stage.prefix, contract.queue, priority);
  const completed = (count: number) => stage.signals.next(count, { what: 'ended', outcome: 'completed' });

  /** A message on the lane of a contract as somebody else might send it. */
  async function send(contract: ReturnType<typeof lone>, body: string): Promise<void> {
    stage.owns(contract);
    await stage.rail.broker.declare(jobsTopology(stage.prefix, [contract]));
    await stage.rail.broker.publish({
      exchange: '',
      routingKey: lane(contract),
      body: Buffer.from(body),
      properties: { messageId: 'p1', type: contract.name, contentEncoding: packEncoding, headers: {} },
    });
  }

  it('are that many fewer messages, as docs/wire.md tells, and jobs of their own when they run', async () => {
    const contract = lone('pack-wire');
    const jobs = await stage.client.enqueueMany(contract, notes(25), { pack: 10, headers: { tenant: 'a' } });
    expect(new Set(jobs.map(({ id }) => id)).size).to.equal(25);
    expect(await stage.ready(lane(contract))).to.equal(3);
    const channel = await stage.channel();
    const message = await channel.get(lane(contract));
    if (!message) throw new Error('the lane is empty');
    expect(message.properties).to.include({
      type: 'pack-wire',
      contentType: 'application/json',
      contentEncoding: 'jobrail-pack',
      deliveryMode: 2,
    });
    const lines = message.content.toString().split('\n');
    expect(lines).to.have.length(11);
    expect(lines[1]).to.equal(`${jobs[1]!.id} {"note":"n1"}`);
    channel.nack(message);

    const ran = new Map<string, unknown>();
    await stage.start({
      handlers: [
        working(contract, (payload, { id, attempt, headers, rootId }: JobContext) => {
          expect(ran.has(id)).to.equal(false);
          ran.set(id, { payload, attempt, headers, rootId });
        }),
      ],
    });
    await completed(25);
    jobs.forEach(({ id }, i) =>
      expect(ran.get(id)).to.deep.equal({
        payload: { note: `n${i}` },
        attempt: 1,
        headers: { tenant: 'a' },
        rootId: id,
      }),
    );
  });

  it('have one priority, delay and expiry, which hold for each', async () => {
    const contract = lone('pack-options', { priorities: 2 });
    const before = Date.now();
    await stage.client.enqueueMany(contract, notes(3), { pack: 3, priority: 1 });
    expect(await stage.ready(lane(contract, 1))).to.equal(1);
    await stage.client.enqueueMany(contract, notes(3), { pack: 3, expiresIn: 1 });
    await stage.client.enqueueMany(contract, notes(3), { pack: 3, delay: 700 });
    const ran: { priority: number; at: number }[] = [];
    await stage.signals.when(() => Date.now() > before + 2, 'the expiry');
    await stage.start({
      handlers: [working(contract, (_, { priority }) => void ran.push({ priority, at: Date.now() }))],
    });
    await completed(6);
    expect(stage.signals.of({ what: 'ended', outcome: 'expired' })).to.have.length(3);
    expect(ran.map(({ priority }) => priority)).to.deep.equal([1, 1, 1, 0, 0, 0]);
    for (const { at } of ran.slice(3)) expect(at).to.be.at.least(before + 700);
  });

  it('fail alone: one is retried by itself, one is a dead letter by itself, and the others run once', async () => {
    const contract = lone('pack-fails');
    const dead = await stage.deadLetters(contract);
    await stage.start({
      handlers: [
        working(
          contract,
          ({ note }, { attempt }) => {
            if (note === 'n1' && attempt === 1) throw new Error('once');
            if (note === 'n2') throw new Fatal('never');
          },
          { retry: fixed({ attempts: 2, every: 5 }) },
        ),
      ],
    });
    const jobs = await stage.client.enqueueMany(contract, notes(4), { pack: 4 });
    const letter = await dead.one();
    await stage.signals.first({ what: 'ended', id: jobs[1]!.id, attempt: 2, outcome: 'completed' });
    expect(letter.body.toString()).to.equal('{"note":"n2"}');
    expect(letter.properties).to.include({ messageId: jobs[2]!.id, correlationId: jobs[2]!.id });
    expect(letter.properties.contentEncoding).to.equal(undefined);
    expect(letter.properties.headers[header.deadReason]).to.equal('fatal');
    expect(stage.signals.of({ what: 'began' })).to.have.length(5);
    await until(
      () => stage.ready(lane(contract)),
      (count) => count === 0,
    );
  });

  it('are held against the schema each, also where they come from others', async () => {
    const contract = lone('pack-invalid');
    const dead = await stage.deadLetters(contract);
    await stage.start({ handlers: [working(contract, () => undefined)] });
    await send(contract, 'a {"note":"fine"}\nb {"note":7}\nc nonsense\nd {"note":"fine, too"}');
    const letters = await dead.next(2);
    expect(letters.map(({ properties }) => properties.messageId)).to.have.members(['b', 'c']);
    for (const { properties } of letters)
      expect(properties.headers[header.deadReason]).to.equal('invalid-payload');
    await stage.signals.first({ what: 'ended', id: 'a', outcome: 'completed' });
    await stage.signals.first({ what: 'ended', id: 'd', outcome: 'completed' });
  });

  it('are one dead letter where their message cannot be taken apart', async () => {
    const contract = lone('pack-unreadable');
    const dead = await stage.deadLetters(contract);
    await stage.start({ handlers: [working(contract, () => undefined)] });
    const body = 'a {"note":"fine"}\n {"note":"without an id"}';
    await send(contract, body);
    const { properties, body: kept } = await dead.one();
    expect(kept.toString()).to.equal(body);
    expect(properties).to.include({ messageId: 'p1', contentEncoding: packEncoding });
    expect(properties.headers).to.include({
      [header.deadReason]: 'unreadable',
      [header.errorName]: 'ContractError',
    });
    expect(properties.headers[header.errorMessage]).to.include('no id of a job in line 2');
  });

  it('run as many at a time as there are slots, and one of them can be cancelled', async () => {
    const contract = lone('pack-slots');
    const { opened, open } = gate();
    const service = await stage.start({
      handlers: [working(contract, () => opened)],
      queues: { 'pack-slots': { concurrency: 2 } },
    });
    const jobs = await stage.client.enqueueMany(contract, notes(6), { pack: 6 });
    await stage.signals.when(() => service.load['pack-slots']!.held === 4, 'four jobs to wait');
    expect(service.load['pack-slots']!.running).to.equal(2);
    await stage.client.cancel(jobs[4]!.id);
    await stage.client.cancel(jobs[0]!.id, { reason: 'not wanted' });
    await stage.signals.when(
      () => stage.signals.of({ what: 'began' }).length === 2,
      'two of them to have begun',
    );
    open();
    await stage.signals.next(6, { what: 'ended' });
    const { detail } = await stage.signals.first({ what: 'ended', id: jobs[4]!.id });
    expect(detail).to.include({ kind: 'cancelled' });
  });

  it('are as many in a message as fit into 64 KiB; one that is too large for that goes by itself', async () => {
    const contract = lone('pack-bytes');
    const sizes = [30_000, 30_000, 30_000, 70_000, 10];
    const payloads = sizes.map((size) => ({ note: 'x'.repeat(size) }));
    const jobs = await stage.client.enqueueMany(contract, payloads, { pack: 100 });
    expect(await stage.ready(lane(contract))).to.equal(4);
    const ran: number[] = [];
    await stage.start({ handlers: [working(contract, ({ note }) => void ran.push(note.length))] });
    await completed(5);
    expect(ran.sort((a, b) => a - b)).to.deep.equal([10, 30_000, 30_000, 30_000, 70_000]);
    for (const { id } of jobs) await stage.signals.first({ what: 'ended', id });
  });

  it('are accepted or not each: the error of a payload is that of its job', async () => {
    const contract = lone('pack-partly');
    const client = stage.newClient({ maxPayloadBytes: 50 });
    const payloads = [{ note: 'a' }, { note: 'x'.repeat(60) }, { note: 'c' }];
    const error = await rejection(client.enqueueMany(contract, payloads, { pack: 10 }));
    expect(error).to.be.instanceOf(BatchError);
    const { results } = error as BatchError;
    expect(results.map(({ error }) => error && (error as { code?: string }).code)).to.deep.equal([
      undefined,
      'JR_PAYLOAD_TOO_LARGE',
      undefined,
    ]);
    expect(results[1]!.id).to.equal('');
    const channel = await stage.channel();
    const message = await channel.get(lane(contract));
    if (!message) throw new Error('the lane is empty');
    channel.ack(message);
    expect(readPack(message.content).map(({ id }) => id)).to.deep.equal([results[0]!.id, results[2]!.id]);
  });

  it('cannot be unique, nor more than a thousand', async () => {
    const contract = lone('pack-refused');
    for (const options of [
      { pack: 10, unique: { key: 'k', for: 60_000 } },
      { pack: 0 },
      { pack: 1_001 },
      { pack: 1.5 },
    ]) {
      const error = await rejection(stage.client.enqueueMany(contract, notes(2), options));
      expect(error).to.be.instanceOf(OptionError);
      expect(error.message).to.include('pack').and.to.include('enqueueMany("pack-refused")');
    }
  });

  describe('when their service stops', () => {
    it('go back in a message of their own where some were started; those that ended do not run again', async () => {
      const contract = lone('pack-stop');
      const { opened, open } = gate();
      const queues = { 'pack-stop': { concurrency: 1 } };
      const handler = working(contract, ({ note }) => (note === 'n1' ? opened : undefined));
      const service = await stage.start({ handlers: [handler], queues });
      await stage.client.enqueueMany(contract, notes(10), { pack: 10 });
      await stage.signals.when(() => stage.signals.of({ what: 'began' }).length === 2, 'the second to run');
      const stopping = service.stop();
      await until(
        () => stage.ready(lane(contract)),
        (count) => count === 1,
      );
      open();
      await stopping;
      expect(await stage.ready(lane(contract))).to.equal(1);
      expect(stage.signals.of({ what: 'began' })).to.have.length(2);
      await stage.start({ handlers: [handler], queues, name: 'rest' });
      const all = await completed(10);
      expect(new Set(all.map(({ id }) => id)).size).to.equal(10);
      expect(stage.signals.of({ what: 'began' })).to.have.length(10);
    });

    it('go back as they came where none was started', async () => {
      const contract = lone('pack-untouched');
      const { opened, open } = gate();
      const service = await stage.start({
        handlers: [working(contract, () => opened)],
        queues: { 'pack-untouched': { concurrency: 1, prefetch: 2 } },
      });
      await stage.client.enqueue(contract, { note: 'runs' });
      await stage.signals.first({ what: 'began' });
      await stage.client.enqueueMany(contract, notes(5), { pack: 5 });
      await stage.signals.when(() => service.load['pack-untouched']!.held === 5, 'five jobs in hand');
      const stopping = service.stop();
      open();
      await stopping;
      const channel = await stage.channel();
      const message = await channel.get(lane(contract));
      if (!message) throw new Error('the lane is empty');
      channel.ack(message);
      expect(message.fields.redelivered).to.equal(true);
      expect(message.properties.headers).to.not.have.property(header.deliveries);
      expect(readPack(message.content)).to.have.length(5);
    });
  });
});
