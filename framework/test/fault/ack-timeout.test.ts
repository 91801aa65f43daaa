import { expect } from 'chai';
import { AmqpBroker } from '../../src/adapters/amqp/amqp-broker.js';
import { type Contract, JobClient, JobService } from '../../src/index.js';
import { type BrokerFeatures, brokerFeatures } from '../../src/model/broker-features.js';
import type { QueueArguments } from '../../src/model/topology.js';
import type { Delivery } from '../../src/ports/broker.js';
import { Recorder } from '../contract/recorder.js';
import { type Sign, Signals } from '../flow/signals.js';
import { gate, lone, working } from '../flow/working.js';
import { type PrivateBroker, startPrivateBroker } from './private-broker.js';

const brokerTimeoutMs = 1_500;

const registered = ({ what, detail }: Sign) =>
  what === 'logged' && (detail as { msg: string }).msg === 'consumers registered';

describe('when an ack takes longer than the broker waits', function () {
  this.timeout(120_000);
  let rabbitmq: PrivateBroker | undefined;
  let broker: AmqpBroker;
  let features: BrokerFeatures;

  before('start a broker that waits a moment only', async function () {
    rabbitmq = await startPrivateBroker(() => [`consumer_timeout = ${brokerTimeoutMs}`]);
    if (!rabbitmq) return this.skip();
    // Up to 4.2 the channel looks once a minute.
    await rabbitmq.ctl(['eval', 'application:set_env(rabbit, channel_tick_interval, 200).']);
    broker = new AmqpBroker({ url: rabbitmq.url });
    await broker.connect();
    features = brokerFeatures(broker.info?.version);
  });
  after(async () => {
    await broker?.close();
    await rabbitmq?.stop();
  });

  /** Holds the first delivery of a new queue. */
  async function holding(name: string, args: QueueArguments) {
    await broker.declare({
      exchanges: [{ name, type: 'fanout' }],
      queues: [{ name, arguments: args }],
      bindings: [{ source: name, routingKey: '', queue: name }],
    });
    const deliveries = new Recorder<Delivery>('deliveries');
    const interruptions = new Recorder<Error>('interruptions', ({ message }) => message);
    const subscription = await broker.consume({
      queues: [{ name, prefetch: 10 }],
      onDelivery: deliveries.record,
      onInterrupted: interruptions.record,
    });
    await broker.publish({
      exchange: name,
      routingKey: '',
      body: Buffer.from(name),
      properties: { headers: {} },
    });
    const held = await deliveries.one();
    return { held, deliveries, interruptions, subscription };
  }

  it('a quorum queue takes the message away and brings it again, and the late ack does nothing', async () => {
    const { held, deliveries, interruptions, subscription } = await holding('quorum', {
      'x-queue-type': 'quorum',
    });
    await interruptions.one();
    expect(held.stale).to.equal(true);
    const again = await deliveries.one();
    expect(again.redelivered).to.equal(true);
    held.ack();
    expect(again.stale).to.equal(false);
    again.ack();
    await subscription.close();
    expect((await broker.depth('quorum'))?.messages).to.equal(0);
  });

  it('a classic queue does so, too, where it has an ack timeout; elsewhere it waits on', async () => {
    const classic = await holding('classic', { 'x-queue-type': 'classic' });
    const quorum = await holding('beside', { 'x-queue-type': 'quorum' });
    if (features.ackTimeoutOfClassic) {
      await classic.interruptions.one();
      (await classic.deliveries.one()).ack();
    } else {
      await quorum.interruptions.one();
      expect(classic.interruptions.all).to.deep.equal([]);
      expect(classic.held.stale).to.equal(false);
      classic.held.ack();
    }
    await Promise.all([classic.subscription.close(), quorum.subscription.close()]);
    expect((await broker.depth('classic'))?.messages).to.equal(0);
  });

  it('a queue that has its own ack timeout waits for that long, where the broker knows it', async function () {
    if (!features.ackTimeoutPerQueue) {
      this.test!.title += ` (skipped: not before RabbitMQ 3.12, this is ${broker.info?.version})`;
      return this.skip();
    }
    const patient = await holding('patient', { 'x-queue-type': 'quorum', 'x-consumer-timeout': 600_000 });
    const hasty = await holding('hasty', { 'x-queue-type': 'quorum' });
    await hasty.interruptions.one();
    expect(patient.interruptions.all).to.deep.equal([]);
    patient.held.ack();
    await Promise.all([patient.subscription.close(), hasty.subscription.close()]);
    expect((await broker.depth('patient'))?.messages).to.equal(0);
  });

  for (const type of ['quorum', 'classic'] as const) {
    it(`a service whose ${type} queue has an ack timeout starts on every broker, and runs its jobs`, async () => {
      const contract = lone(`own-timeout-${type}`, { type, ackTimeout: '1h' });
      const ran = new Recorder<string>('runs');
      await withService(
        contract,
        working(contract, ({ note }) => ran.record(note)),
        (client) => client.enqueue(contract, { note: 'a' }),
        async () => expect(await ran.one()).to.equal('a'),
      );
    });
  }

  it('a job that the broker took away and brought again goes on, and is done once', async () => {
    const contract = lone('taken-away');
    const runs = new Recorder<string>('runs');
    const mayEnd = gate();
    const handler = working(contract, async ({ note }) => {
      runs.record(note);
      if (note === 'slow') await mayEnd.opened;
    });
    await withService(
      contract,
      handler,
      (client) => client.enqueue(contract, { note: 'slow' }),
      async (service, client, signals) => {
        await signals.next(2, registered);
        // What was taken away stands before it in the queue.
        await client.enqueue(contract, { note: 'next' });
        expect(await runs.next(2)).to.deep.equal(['slow', 'next']);
        mayEnd.open();
        await signals.next(2, { what: 'ended', outcome: 'completed' });
        expect(service.readiness().ok).to.equal(true);
      },
    );
    expect((await broker.depth('ack.taken-away'))?.messages).to.equal(0);
    expect(runs.all).to.have.length(2);
  });

  /** A service on the private broker, while something is sent and seen. */
  async function withService(
    { queue }: Contract,
    handler: ReturnType<typeof working>,
    send: (client: JobClient) => Promise<unknown>,
    see: (service: JobService, client: JobClient, signals: Signals) => Promise<unknown>,
  ): Promise<void> {
    const { url } = rabbitmq!;
    const signals = new Signals();
    const service = new JobService({
      name: 'ack',
      url,
      prefix: 'ack',
      handlers: [handler],
      queues: { [queue.name]: {} },
      log: signals.log,
    });
    service.use(signals.filter);
    const client = new JobClient({ url, prefix: 'ack' });
    try {
      await service.start();
      await send(client);
      await see(service, client, signals);
    } finally {
      await client.close();
      await service.stop();
    }
  }
});
