import { Socket } from 'node:net';
import { expect } from 'chai';
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { AmqpBroker } from '../../src/adapters/amqp/amqp-broker.js';
import { type HandlerClass, JobClient, type JobClientOptions } from '../../src/index.js';
import { JobService, type JobServiceOptions } from '../../src/index.js';
import type { Contract } from '../../src/model/contract.js';
import { jobDefinition } from '../../src/model/job.js';
import {
  deadQueue,
  eventsTopology,
  jobsTopology,
  mergeTopologies,
  wholeDelayNet,
} from '../../src/model/topology.js';
import type { Delivery, Subscription } from '../../src/ports/broker.js';
import { type IsolatedRail, isolatedRail } from '../../src/testing.js';
import { Recorder } from '../contract/recorder.js';
import { Endings } from './endings.js';
import { Signals } from './signals.js';

export type ServiceOptions = Partial<JobServiceOptions> & { handlers: readonly HandlerClass[] };

/**
 * What the tests of a file play on: a corner of RabbitMQ of their own, and services whose attempts and log lines are
 * signs. `useStage` opens it before the file and takes it down after; services and extra clients end after each test.
 */
export class Stage {
  readonly signals = new Signals();
  #rail: IsolatedRail | undefined;
  readonly #contracts = new Map<string, Contract>();
  readonly #endings = new Endings();
  #bare: ChannelModel | undefined;
  #before: Map<string, number> | undefined;

  get rail(): IsolatedRail {
    return this.#rail!;
  }

  get prefix(): string {
    return this.rail.prefix;
  }

  get client(): JobClient {
    return this.rail.client;
  }

  async open(): Promise<void> {
    this.#before = openHandles();
    this.#rail = await isolatedRail();
    this.client.use({ name: 'stage', publish: (sending, next) => (this.owns(sending.contract), next()) });
  }

  /** Its queues are removed at the end. Known without a word: what a service handles and what `client` enqueues. */
  owns(contract: Contract): void {
    this.#contracts.set(contract.name, contract);
  }

  /** Runs `end` after the test. */
  atEnd(end: () => Promise<unknown>): void {
    this.#endings.atEnd(end);
  }

  /** A service that is not started; each queue of its handlers is configured. */
  service(options: ServiceOptions): JobService {
    const contracts = options.handlers.map((handler) => jobDefinition(handler).contract);
    for (const contract of contracts) this.owns(contract);
    const { url, prefix } = this.rail;
    const queues = Object.fromEntries(contracts.map(({ queue }) => [queue.name, {}]));
    const service = new JobService({
      name: 'stage',
      url,
      prefix,
      queues,
      log: this.signals.log,
      gracePeriod: '2s',
      ...options,
    });
    service.use(this.signals.filter);
    this.atEnd(() => service.stop());
    return service;
  }

  async start(options: ServiceOptions): Promise<JobService> {
    const service = this.service(options);
    await service.start();
    return service;
  }

  /** For a process of its own that takes part. */
  get env(): NodeJS.ProcessEnv {
    return { AMQP_URL: this.rail.url, JOBRAIL_PREFIX: this.prefix };
  }

  /** Another client, on this stage's corner. */
  newClient(options: JobClientOptions = {}): JobClient {
    const { url, prefix } = this.rail;
    const client = new JobClient({ url, prefix, ...options });
    client.use({ name: 'stage', publish: (sending, next) => (this.owns(sending.contract), next()) });
    this.atEnd(() => client.close());
    return client;
  }

  /** Takes the dead letters of a contract's queue as they come. */
  async deadLetters(contract: Contract): Promise<Recorder<Delivery>> {
    this.owns(contract);
    await this.rail.broker.declare(jobsTopology(this.prefix, [contract]));
    return this.consume(deadQueue(this.prefix, contract.queue));
  }

  /** Takes the messages of a RabbitMQ queue as they come. */
  async consume(queue: string): Promise<Recorder<Delivery>> {
    const recorder = new Recorder<Delivery>(`messages of ${queue}`, ({ properties }) =>
      JSON.stringify(properties),
    );
    const subscription: Subscription = await this.rail.broker.consume({
      queues: [{ name: queue, prefetch: 100 }],
      onDelivery(delivery) {
        delivery.ack();
        recorder.record(delivery);
      },
    });
    this.atEnd(() => subscription.close());
    return recorder;
  }

  /** Messages ready in a RabbitMQ queue; undefined when there is no such queue. */
  async ready(queue: string): Promise<number | undefined> {
    return (await this.rail.broker.depth(queue))?.messages;
  }

  /** A plain amqplib channel, as a program that knows nothing of Jobrail has it. */
  async channel(): Promise<Channel> {
    this.#bare ??= await connect(this.rail.url);
    const channel = await this.#bare.createChannel();
    channel.on('error', () => undefined);
    this.atEnd(() => channel.close().catch(() => undefined));
    return channel;
  }

  /** Ends what the test started, the last first. */
  async reset(): Promise<void> {
    try {
      await this.#endings.run();
    } finally {
      this.signals.clear();
    }
  }

  /** Removes what is left on the broker and fails if anything stays: a queue, a socket, a timer. */
  async close(): Promise<void> {
    if (!this.#rail) return; // it could not be opened
    await this.reset();
    await this.#bare?.close();
    const contracts = [...this.#contracts.values()];
    await this.rail.cleanup(...contracts);
    expect(await this.#queuesLeft(contracts), 'queues left on the broker').to.deep.equal([]);
    await this.#handlesClosed();
  }

  async #queuesLeft(contracts: Contract[]): Promise<string[]> {
    const { queues } = mergeTopologies(
      jobsTopology(this.prefix, contracts),
      wholeDelayNet(this.prefix),
      eventsTopology(this.prefix),
    );
    const broker = new AmqpBroker({ url: this.rail.url });
    await broker.connect();
    const depths = await Promise.all(queues.map(({ name }) => broker.depth(name)));
    await broker.close();
    return queues.filter((_, i) => depths[i] !== undefined).map(({ name }) => name);
  }

  /** A socket needs a turn or two to close. */
  async #handlesClosed(): Promise<void> {
    const left = () =>
      [...openHandles()].filter(([kind, count]) => count > (this.#before?.get(kind) ?? 0)).map(String);
    await this.signals
      .when(() => left().length === 0, 'all handles to be closed')
      .catch(() => expect(left(), `handles left open; sockets: ${openSockets()}`).to.deep.equal([]));
  }
}

/** What keeps this process alive, by kind, but for timers of the test runner. */
function openHandles(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (/TCP|Pipe|Process|UDP/.test(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/** Where each open socket leads, and how far it has come. */
function openSockets(): string {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): unknown[] };
  return handles()
    .filter((handle): handle is Socket => handle instanceof Socket)
    .map(
      ({ localPort, remotePort, readyState, bytesRead, bytesWritten, destroyed }) =>
        `${localPort} → ${remotePort} ${readyState}, ${bytesRead} in, ${bytesWritten} out${destroyed ? ', destroyed' : ''}`,
    )
    .join('; ');
}

/** A stage for the tests of a `describe`. */
export function useStage(): Stage {
  const stage = new Stage();
  before('open the stage', () => stage.open());
  afterEach('end what the test started', () => stage.reset());
  after('leave nothing on the broker and nothing open', () => stage.close());
  return stage;
}
