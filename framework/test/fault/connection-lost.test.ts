import { expect } from 'chai';
import { fixed, type JobService } from '../../src/index.js';
import { jobsTopology, laneQueue } from '../../src/model/topology.js';
import { useStage } from '../flow/stage.js';
import { gate, lone, working } from '../flow/working.js';
import { rejection } from '../contract/rejection.js';
import { TcpProxy } from './tcp-proxy.js';

describe('when the connection to the broker is lost', () => {
  const stage = useStage();
  let proxy: TcpProxy;
  let url: string;

  beforeEach(async () => {
    proxy = await TcpProxy.before(stage.rail.url);
    url = proxy.through(stage.rail.url);
    stage.atEnd(() => proxy.close());
  });

  const logged = (times: number, text: RegExp) =>
    stage.signals.next(
      times,
      ({ what, detail }) => what === 'logged' && text.test((detail as { msg: string }).msg),
    );
  const registered = (times: number) => logged(times, /^consumers registered$/);

  describe('a service', () => {
    it('is not ready meanwhile, registers its consumers again, and goes on', async () => {
      const contract = lone('lost-service');
      const service = await stage.start({ handlers: [working(contract, () => undefined)], url });
      await stage.client.enqueue(contract, { note: 'before' });
      await stage.signals.first({ what: 'ended', outcome: 'completed' });

      proxy.refuse();
      proxy.cut();
      await stage.signals.when(() => !service.readiness().ok, 'the service not to be ready');
      expect(service.readiness()).to.deep.equal({
        ...service.readiness(),
        ok: false,
        state: 'running',
        consumers: { 'lost-service': false },
      });
      await stage.client.enqueue(contract, { note: 'meanwhile' });
      proxy.allow();
      await registered(2);
      await stage.signals.next(2, { what: 'ended', outcome: 'completed' });
      expect(service.readiness().ok).to.equal(true);
    });

    it('is not ready while the broker is silent, long before the connection is given up', async () => {
      // The broker speaks every 1.5 s; after 3 s of silence readiness is gone, after 6 s at least the connection.
      const handlers = [working(lone('lost-silent'), () => undefined)];
      const service = await stage.start({ handlers, url: `${url}?heartbeat=3` });
      expect(service.readiness().ok).to.equal(true);
      proxy.mute();
      await stage.signals.when(() => !service.readiness().ok, 'the service not to be ready');
      proxy.allow();
      await stage.signals.when(() => service.readiness().ok, 'the service to be ready again');
      const said = stage.signals.of({ what: 'logged' }).map(({ detail }) => (detail as { msg: string }).msg);
      expect(said.filter((msg) => /consumers (lost|registered)/.test(msg))).to.deep.equal([
        'consumers registered',
      ]);
    });

    it('comes back again and again', async () => {
      const contract = lone('lost-often');
      await stage.start({ handlers: [working(contract, () => undefined)], url });
      for (let times = 1; times <= 4; times++) {
        await registered(times);
        proxy.cut();
      }
      await registered(5);
      await stage.client.enqueue(contract, { note: '' });
      await stage.signals.first({ what: 'ended', outcome: 'completed' });
    });

    it('finishes the job that runs, whose ack goes to the channel that brings it again, and runs it once', async () => {
      const contract = lone('lost-running');
      const { opened, open } = gate();
      // The event of its outcome goes on a connection that may still be in the making: time enough on a busy machine.
      const handlers = [working(contract, () => opened)];
      const service = await stage.start({ handlers, url, gracePeriod: '10s' });
      await stage.client.enqueue(contract, { note: '' });
      await stage.signals.first({ what: 'began' });
      proxy.cut();
      await logged(1, /runs here already/);
      open();
      await stage.signals.first({ what: 'ended', outcome: 'completed' });
      await service.stop();
      expect(stage.signals.of({ what: 'began' })).to.have.length(1);
      expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(0);
    });

    it('sends no stale ack: a job that ended while the broker was away is settled when it comes again', async () => {
      const contract = lone('lost-ended');
      const { opened, open } = gate();
      const handlers = [working(contract, () => opened)];
      const service = await stage.start({ handlers, url, gracePeriod: '10s' });
      await stage.client.enqueue(contract, { note: 'first' });
      await stage.signals.first({ what: 'began' });
      proxy.refuse();
      proxy.cut();
      await stage.signals.when(() => !service.readiness().ok, 'the connection to be lost');
      open();
      await stage.signals.first({ what: 'ended' });
      proxy.allow();
      await registered(2);
      // Were the stale ack sent on the new channel, it would close it for an unknown tag, or settle this job.
      await stage.client.enqueue(contract, { note: 'second' });
      await stage.signals.next(2, { what: 'ended', outcome: 'completed' });
      await service.stop();
      expect(stage.signals.of({ what: 'began' })).to.have.length(2);
      expect(
        stage.signals.all.filter(
          ({ what, detail }) => what === 'logged' && /consumers lost/.test((detail as { msg: string }).msg),
        ),
      ).to.have.length(1);
      expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(0);
    });

    it('gives up its jobs to another service, which runs them again', async () => {
      const contract = lone('lost-elsewhere');
      const { opened, open } = gate();
      const handler = working(contract, (_, job) => (stage.signals.tell('ran', job.attempt), opened));
      await stage.start({ handlers: [handler], url, name: 'cut off' });
      await stage.client.enqueue(contract, { note: '' });
      await stage.signals.first({ what: 'ran' });
      proxy.refuse();
      proxy.cut();
      await stage.start({
        handlers: [working(contract, (_, job) => stage.signals.tell('ran', job.attempt))],
        name: 'other',
      });
      const ran = await stage.signals.next(2, { what: 'ran' });
      expect(
        ran.map(({ detail }) => detail),
        'attempts',
      ).to.deep.equal([1, 1]);
      await stage.signals.first({ what: 'ended', outcome: 'completed' });
      proxy.allow();
      open();
      await stage.signals.next(2, { what: 'ended', outcome: 'completed' });
    });

    it('forgets the jobs it had not started, which come again in their order', async () => {
      const contract = lone('lost-held');
      const { opened, open } = gate();
      const handler = working(
        contract,
        async ({ note }) => {
          stage.signals.tell('ran', note);
          if (note === 'first') await opened;
        },
        { timeout: '10s' },
      );
      const options = { queues: { 'lost-held': { concurrency: 1, prefetch: 10 } } };
      const service = await stage.start({ handlers: [handler], url, ...options });
      await stage.client.enqueueMany(
        contract,
        ['first', 'a', 'b', 'c'].map((note) => ({ note })),
      );
      await stage.signals.when(() => service.load['lost-held']!.held === 3, 'three jobs in hand');
      proxy.cut();
      await registered(2);
      await stage.signals.when(() => service.load['lost-held']!.held === 3, 'three jobs in hand again');
      open();
      const ran = await stage.signals.next(4, { what: 'ran' });
      expect(ran.map(({ detail }) => detail)).to.deep.equal(['first', 'a', 'b', 'c']);
    });

    it('keeps a job whose retry could not be published, and publishes it when the broker is back', async () => {
      const contract = lone('lost-retry');
      const { opened, open } = gate();
      const handler = working(
        contract,
        async (_, { attempt }) => {
          if (attempt > 1) return;
          await opened;
          throw new Error('once');
        },
        { retry: fixed({ attempts: 2, every: 5 }) },
      );
      await stage.start({ handlers: [handler], url });
      const { id } = await stage.client.enqueue(contract, { note: '' });
      await stage.signals.first({ what: 'began' });
      proxy.refuse();
      proxy.cut();
      open();
      await stage.signals.first({ what: 'ended', id, outcome: 'retry' });
      proxy.allow();
      await stage.signals.first({ what: 'ended', id, attempt: 2, outcome: 'completed' });
    });

    it('keeps a job whose retry cannot be published, though it could ack it, until it stops', async () => {
      const contract = lone('lost-publishing');
      const { opened, open } = gate();
      const handler = working(contract, async () => {
        await opened;
        throw new Error('always');
      });
      const service = await stage.start({
        handlers: [handler],
        url,
        gracePeriod: '50ms',
        publishTimeout: '60ms',
      });
      await stage.client.enqueue(contract, { note: '' });
      await stage.signals.first({ what: 'began' });
      proxy.refuse();
      proxy.cutOne(0); // the first connection of a service is for publishing
      open();
      await stage.signals.first(
        ({ what, detail }) => what === 'logged' && /not published yet/.test((detail as { msg: string }).msg),
      );
      expect(service.readiness().ok, 'its consumers are registered all the while').to.equal(true);
      await service.stop();
      expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(1);
    });

    it('stops in time although the broker is away', async () => {
      const contract = lone('lost-stop');
      const service: JobService = await stage.start({ handlers: [working(contract, () => undefined)], url });
      proxy.refuse();
      proxy.cut();
      await stage.signals.when(() => !service.readiness().ok, 'the connection to be lost');
      const began = Date.now();
      await service.stop();
      expect(service.state).to.equal('stopped');
      expect(Date.now() - began, 'ms').to.be.below(4_000);
    });
  });

  describe('a client', () => {
    it('publishes what was enqueued meanwhile as soon as the broker is back', async () => {
      const contract = lone('lost-meanwhile');
      const client = stage.newClient({ url });
      await client.enqueue(contract, { note: '0' });
      proxy.refuse();
      proxy.cut();
      await stage.signals.when(() => !client.connected, 'the client to notice');
      const enqueued = Promise.all(['1', '2', '3'].map((note) => client.enqueue(contract, { note })));
      proxy.allow();
      await enqueued;
      expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(4);
    });

    it('sends again what was in flight, under its own id, and resolves when that is confirmed', async () => {
      const contract = lone('lost-in-flight');
      const client = stage.newClient({ url });
      await client.enqueue(contract, { note: 'declare' });
      const lane = laneQueue(stage.prefix, contract.queue, 0);
      proxy.mute();
      const enqueued = client.enqueue(contract, { note: 'in flight' });
      await stage.signals.when(() => proxy.swallowed > 0, 'the confirm to be swallowed');
      proxy.allow();
      proxy.cut();
      const { id } = await enqueued;
      const copies = await stage.consume(lane);
      const [, ...both] = await copies.next(3);
      expect(both.map(({ properties }) => properties.messageId)).to.deep.equal([id, id]);
    });

    it('rejects at its deadline, saying that an unsent job was not accepted', async () => {
      const contract = lone('lost-deadline');
      const client = stage.newClient({ url, publishTimeout: '150ms' });
      await client.enqueue(contract, { note: '' });
      proxy.refuse();
      proxy.cut();
      await stage.signals.when(() => !client.connected, 'the client to notice');
      const error = await rejection(client.enqueue(contract, { note: '' }));
      expect(error).to.include({ code: 'JR_PUBLISH_TIMEOUT', maybeAccepted: false });
      expect(error.message).to.match(
        /within 150 ms: there is no connection to the broker\..*It was not accepted/,
      );
    });

    it('rejects at its deadline, saying that a job without a confirm may have been accepted', async () => {
      const contract = lone('lost-unconfirmed');
      const client = stage.newClient({ url, publishTimeout: '200ms' });
      await client.enqueue(contract, { note: '' });
      proxy.mute();
      const error = await rejection(client.enqueue(contract, { note: '' }));
      expect(error).to.include({ code: 'JR_PUBLISH_TIMEOUT', maybeAccepted: true });
      expect(error.message).to.match(/the broker did not confirm it\. .*send it again with the same id/);
      proxy.allow();
      proxy.cut();
      await client.enqueue(contract, { note: '' });
    });

    it('takes the next broker of its list', async () => {
      const contract = lone('lost-next');
      const dead = await TcpProxy.before(stage.rail.url);
      const gone = dead.through(stage.rail.url);
      await dead.close();
      const client = stage.newClient({ url: [gone, url] });
      await client.enqueue(contract, { note: '' });
      expect(proxy.connections).to.be.at.least(1);
    });
  });

  it('the topology is declared again when the broker has lost that too', async () => {
    const contract = lone('lost-topology');
    await stage.start({ handlers: [working(contract, () => undefined)], url });
    proxy.refuse();
    proxy.cut();
    await stage.rail.broker.remove(jobsTopology(stage.prefix, [contract]));
    proxy.allow();
    await registered(2);
    await stage.client.enqueue(contract, { note: '' });
    await stage.signals.first({ what: 'ended', outcome: 'completed' });
  });
});
