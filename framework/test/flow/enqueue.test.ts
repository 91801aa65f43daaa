import { expect } from 'chai';
import { z } from 'zod';
import {
  BatchError,
  ContractError,
  defineJob,
  defineQueue,
  OptionError,
  PublishError,
} from '../../src/index.js';
import { jobsExchange, laneQueue } from '../../src/model/topology.js';
import { rejection } from '../contract/rejection.js';
import { useStage } from './stage.js';
import { lone, working } from './working.js';

describe('enqueue', () => {
  const stage = useStage();

  it('resolves with the id when the broker has the job, and the handler gets what was sent', async () => {
    const contract = lone('enqueue-plain');
    const { id } = await stage.client.enqueue(contract, { note: 'hello' });
    expect(id).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/);
    expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(1);

    const got: unknown[] = [];
    const before = Date.now();
    await stage.start({
      handlers: [
        working(contract, (payload, job) => {
          const { id, attempt, contract, queue, priority, headers, rootId, causationId, enqueuedAt } = job;
          got.push({ payload, id, attempt, contract, queue, priority, headers, rootId, causationId });
          expect(enqueuedAt.getTime()).to.be.within(before - 5_000, Date.now());
        }),
      ],
    });
    await stage.signals.first({ what: 'ended', outcome: 'completed' });
    expect(got).to.deep.equal([
      {
        payload: { note: 'hello' },
        id,
        attempt: 1,
        contract: 'enqueue-plain',
        queue: 'enqueue-plain',
        priority: 0,
        headers: {},
        rootId: id,
        causationId: undefined,
      },
    ]);
  });

  it('sends the properties that docs/wire.md lists, persistent', async () => {
    const contract = lone('enqueue-wire', { priorities: 3 });
    const client = stage.newClient({ name: 'shop' });
    const before = Date.now();
    const { id } = await client.enqueue(contract, { note: 'é' }, { priority: 2, headers: { tenant: 'a' } });
    const channel = await stage.channel();
    const message = await channel.get(laneQueue(stage.prefix, contract.queue, 2));
    if (!message) throw new Error('the lane of priority 2 is empty');
    channel.ack(message);
    const { properties, fields, content } = message;
    expect(fields).to.include({ exchange: '', routingKey: laneQueue(stage.prefix, contract.queue, 2) });
    expect(content.toString('utf8')).to.equal('{"note":"é"}');
    expect(properties).to.deep.include({
      messageId: id,
      type: 'enqueue-wire',
      correlationId: id,
      contentType: 'application/json',
      deliveryMode: 2,
      priority: 2,
      appId: 'shop',
    });
    expect(properties.headers).to.include({ tenant: 'a' });
    expect(properties.timestamp).to.be.within(Math.floor(before / 1_000), Date.now() / 1_000);
  });

  it('takes an id and headers, and gives both to the handler', async () => {
    const contract = lone('enqueue-id');
    const headers = { tenant: 'acme', flags: [1, true, null, 'x'], nested: { a: 1.5 } };
    await stage.start({
      handlers: [
        working(contract, (_, job) => stage.signals.tell('got', { id: job.id, headers: job.headers })),
      ],
    });
    const { id } = await stage.client.enqueue(contract, { note: '' }, { id: 'invoice/7', headers });
    expect(id).to.equal('invoice/7');
    expect((await stage.signals.first({ what: 'got' })).detail).to.deep.equal({ id, headers });
  });

  it('declares the queue, so that a job waits for a service that was never started', async () => {
    const contract = lone('enqueue-first');
    await stage.client.enqueue(contract, { note: '1' });
    await stage.start({ handlers: [working(contract, () => undefined)] });
    await stage.signals.first({ what: 'ended', contract: contract.name, outcome: 'completed' });
  });

  it('declares a queue again that somebody deleted, and loses nothing', async () => {
    const contract = lone('enqueue-again');
    await stage.client.enqueue(contract, { note: '1' });
    const channel = await stage.channel();
    const lane = laneQueue(stage.prefix, contract.queue, 0);
    await channel.deleteQueue(lane);
    await stage.client.enqueue(contract, { note: '2' });
    expect(await stage.ready(lane)).to.equal(1);
  });

  it('is mandatory: a message that no queue takes is an error, certainly not accepted', async () => {
    const contract = lone('enqueue-mandatory');
    await stage.client.enqueue(contract, { note: '1' });
    const error = await rejection(
      stage.rail.broker.publish({
        exchange: jobsExchange(stage.prefix),
        routingKey: 'nobody.knows',
        body: Buffer.from('{}'),
        properties: { messageId: 'm1', headers: {} },
      }),
    );
    expect(error).to.be.instanceOf(PublishError);
    expect(error).to.include({ code: 'JR_PUBLISH_RETURNED', maybeAccepted: false });
    expect(error.message).to.include('m1').and.to.include('nobody.knows').and.to.include('NO_ROUTE');
  });

  it('rejects a payload that does not fit, with an issue for each place, and sends nothing', async () => {
    const contract = defineJob('enqueue-schema', {
      queue: defineQueue('enqueue-schema'),
      payload: z.object({ to: z.email(), items: z.array(z.object({ n: z.number() })) }),
    });
    const wrong = { to: 'nobody', items: [{ n: 1 }, { n: 'two' }] } as never;
    const error = (await rejection(stage.client.enqueue(contract, wrong))) as ContractError;
    expect(error).to.be.instanceOf(ContractError);
    expect(error.code).to.equal('JR_PAYLOAD_INVALID');
    expect(error.issues.map(({ path }) => path)).to.deep.equal(['to', 'items.1.n']);
    expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(undefined);
  });

  it('takes any Standard Schema, one that checks asynchronously too', async () => {
    const contract = defineJob('enqueue-async', {
      queue: defineQueue('enqueue-async'),
      payload: z.string().refine(async (text) => Promise.resolve(text !== 'no'), 'not that'),
    });
    await stage.start({ handlers: [working(contract, (payload) => stage.signals.tell('got', payload))] });
    expect((await rejection(stage.client.enqueue(contract, 'no'))).message).to.include('not that');
    await stage.client.enqueue(contract, 'yes');
    expect((await stage.signals.first({ what: 'got' })).detail).to.equal('yes');
  });

  describe('refuses an option, naming it, its value and the way out', () => {
    const contract = lone('enqueue-options', { priorities: 3 });
    const wrong: [string, object, RegExp][] = [
      ['an unknown one', { dealy: '1s' }, /unknown option "dealy".*Did you mean "delay"\?/],
      ['one nobody could mean', { colour: 'red' }, /unknown option "colour".*Known options: delay, runAt/],
      ['a priority the queue has not', { priority: 3 }, /priority .* is 3\..*from 0 to 2/],
      ['a negative priority', { priority: -1 }, /priority .* is -1\./],
      ['a priority that is text', { priority: '2' }, /priority .* is "2"\./],
      ['a delay over a year', { delay: '367d' }, /delay .* is 367\.0 d\..*longest delay is 366\.0 d/],
      [
        'a runAt over a year away',
        { runAt: new Date(Date.now() + 400 * 86_400_000) },
        /delay .* is 400\.0 d\./,
      ],
      ['a delay that is no duration', { delay: 'soon' }, /delay .* is "soon"\..*'500ms'/],
      ['a negative delay', { delay: -1 }, /delay .* is -1\./],
      ['delay and runAt at once', { delay: 1, runAt: new Date() }, /both delay and runAt/],
      ['a runAt that is no date', { runAt: '2030-01-01' }, /runAt .* is "2030-01-01"\./],
      ['an invalid date', { runAt: new Date('x') }, /runAt/],
      ['an id with spaces', { id: 'a b' }, /id .* is "a b"\./],
      ['an id of 129 characters', { id: 'x'.repeat(129) }, /1 to 128 printable/],
      ['an expiry before it is due', { delay: '1m', expiresIn: '30s' }, /expire before it is due/],
      ['a reserved header', { headers: { 'x-death': 'mine' } }, /reserved name "x-death"/],
      ['a trace header', { headers: { traceparent: '00' } }, /reserved name "traceparent"/],
      ['a header AMQP cannot hold', { headers: { when: () => 1 } }, /header "when"/],
      ['a header that is not finite', { headers: { n: Number.NaN } }, /header "n"/],
    ];
    for (const [what, options, message] of wrong) {
      it(what, async () => {
        const error = await rejection(stage.client.enqueue(contract, { note: '' }, options));
        expect(error).to.be.instanceOf(OptionError);
        expect(error).to.have.property('code', 'JR_OPTION_INVALID');
        expect(error.message).to.match(message);
      });
    }
  });

  describe('enqueueMany', () => {
    it('sends pipelined: 500 jobs are under way at once', async () => {
      const contract = lone('many-pipelined');
      await stage.client.enqueue(contract, { note: 'declare' });
      let mostAtOnce = 0;
      let now = 0;
      const client = stage.newClient();
      client.use({
        name: 'count',
        async publish(_sending, next) {
          mostAtOnce = Math.max(mostAtOnce, ++now);
          await next();
          now--;
        },
      });
      const payloads = Array.from({ length: 500 }, (_, i) => ({ note: String(i) }));
      const jobs = await client.enqueueMany(contract, payloads, { headers: { batch: 1 } });
      expect(new Set(jobs.map(({ id }) => id)).size).to.equal(500);
      expect(mostAtOnce).to.equal(500);
      expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(501);
    });

    it('keeps the order of the payloads', async () => {
      const contract = lone('many-order');
      const payloads = ['a', 'b', 'c', 'd'].map((note) => ({ note }));
      const jobs = await stage.client.enqueueMany(contract, payloads);
      await stage.start({
        handlers: [working(contract, ({ note }, { id }) => stage.signals.tell('got', { id, note }))],
        queues: { 'many-order': { concurrency: 1 } },
      });
      const got = await stage.signals.next(4, { what: 'got' });
      expect(got.map(({ detail }) => detail)).to.deep.equal(
        jobs.map(({ id }, i) => ({ id, note: payloads[i]!.note })),
      );
    });

    it('sends nothing when one payload does not fit', async () => {
      const contract = lone('many-invalid');
      const payloads = [{ note: 'fine' }, { note: 7 as never }];
      const error = await rejection(stage.client.enqueueMany(contract, payloads));
      expect(error).to.have.property('code', 'JR_PAYLOAD_INVALID');
      expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(undefined);
    });

    it('tells by BatchError which jobs were not accepted', async () => {
      const contract = lone('many-partly');
      const client = stage.newClient();
      let sent = 0;
      client.use({
        name: 'every second fails',
        publish: (_sending, next) => (sent++ % 2 === 1 ? Promise.reject(new Error('not this one')) : next()),
      });
      const payloads = ['a', 'b', 'c', 'd'].map((note) => ({ note }));
      const error = (await rejection(client.enqueueMany(contract, payloads))) as BatchError;
      expect(error).to.be.instanceOf(BatchError);
      expect(error.code).to.equal('JR_BATCH_INCOMPLETE');
      expect(error.message).to.match(/2 of 4 jobs were not accepted: not this one/);
      expect(error.results.map(({ error }) => error?.message)).to.deep.equal([
        undefined,
        'not this one',
        undefined,
        'not this one',
      ]);
      expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(2);
    });

    it('resolves at once with nothing to send', async () => {
      expect(await stage.client.enqueueMany(lone('many-none'), [])).to.deep.equal([]);
    });
  });

  describe('JobClient', () => {
    it('refuses an unknown option', () => {
      expect(() => stage.newClient({ prefx: 'x' } as object)).to.throw(
        OptionError,
        /Did you mean "prefix"\?/,
      );
    });

    it('refuses a URL that is none, without showing the password', () => {
      expect(() => stage.newClient({ url: 'http://ada:secret@host' }))
        .to.throw(OptionError, /no AMQP URL/)
        .with.property('message')
        .that.does.not.include('secret');
    });

    it('refuses a filter after the first enqueue', async () => {
      const client = stage.newClient();
      await client.enqueue(lone('client-late-filter'), { note: '' });
      expect(() => client.use({ name: 'late' })).to.throw(/after the first enqueue/);
    });

    it('rejects after close', async () => {
      const client = stage.newClient();
      await client.connect();
      expect(client.connected).to.equal(true);
      await client.close();
      const error = await rejection(client.enqueue(lone('client-closed'), { note: '' }));
      expect(error).to.have.property('code', 'JR_BROKER_CLOSED');
    });
  });
});
