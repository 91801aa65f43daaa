import { randomUUID } from 'node:crypto';
import { type BrokerFeatures, brokerFeatures } from '../../src/model/broker-features.js';
import { mergeTopologies, type QueueArguments, type Topology } from '../../src/model/topology.js';
import type { MessageProperties } from '../../src/model/message.js';
import type { Broker, Delivery, QueueDepth, Subscription } from '../../src/ports/broker.js';
import { Recorder, until } from './recorder.js';

/** Makes a broker that is not connected yet; all that it makes reach the same exchanges and queues. */
export type BrokerFactory = () => Broker;

export type QueueType = QueueArguments['x-queue-type'];

/** A subscription and what it brought. */
export interface Consumption {
  subscription: Subscription;
  deliveries: Recorder<Delivery>;
  ready: Recorder<'ready'>;
  interruptions: Recorder<Error>;
}

interface ConsumeHow {
  /** Unacknowledged deliveries held, for each queue. Default 100. */
  prefetch?: number | readonly number[];
  /** Settles each delivery as it comes. Default: holds it. */
  settle?: (delivery: Delivery) => void;
  broker?: Broker;
  paused?: boolean;
}

/** What one test plays on: names of its own, a connected broker, and all that must be gone afterwards. */
export class Scene {
  readonly prefix = `t-${randomUUID().slice(0, 8)}`;
  readonly #brokers: Broker[] = [];
  #made: Topology = { exchanges: [], queues: [], bindings: [] };

  private constructor(private readonly make: BrokerFactory) {}

  static async open(make: BrokerFactory): Promise<Scene> {
    const scene = new Scene(make);
    await scene.another();
    return scene;
  }

  /** The first connection. */
  get broker(): Broker {
    return this.#brokers[0]!;
  }

  /** What the broker can do, where versions differ. */
  get features(): BrokerFeatures {
    return brokerFeatures(this.broker.info?.version);
  }

  /** A further connection to the same broker. */
  async another(): Promise<Broker> {
    const broker = this.make();
    this.#brokers.push(broker);
    await broker.connect();
    return broker;
  }

  name(word: string): string {
    return `${this.prefix}.${word}`;
  }

  /** Declares, and remembers for the end. */
  async declare(topology: Partial<Topology>): Promise<void> {
    const whole = { exchanges: [], queues: [], bindings: [], ...topology };
    this.#made = mergeTopologies(this.#made, whole);
    await this.broker.declare(whole);
  }

  /** A queue with an exchange of its own name that is bound to it, so `send` reaches it by that name. */
  async queue(word: string, args: Partial<QueueArguments> = {}): Promise<string> {
    const name = this.name(word);
    await this.declare({
      exchanges: [{ name, type: 'topic' }],
      queues: [{ name, arguments: { 'x-queue-type': 'quorum', ...args } }],
      bindings: [{ source: name, routingKey: '#', queue: name }],
    });
    return name;
  }

  /** Publishes texts to an exchange, in order, and waits until all are confirmed. */
  async send(
    exchange: string,
    bodies: readonly string[],
    properties: Partial<MessageProperties> = {},
  ): Promise<void> {
    await Promise.all(bodies.map((body) => this.publish(exchange, 'key', body, properties)));
  }

  publish(
    exchange: string,
    routingKey: string,
    body: string | Buffer = routingKey,
    properties: Partial<MessageProperties> = {},
  ): Promise<void> {
    return this.broker.publish({
      exchange,
      routingKey,
      body: Buffer.from(body),
      properties: { headers: {}, ...properties },
    });
  }

  async consume(queues: readonly string[], how: ConsumeHow = {}): Promise<Consumption> {
    const { prefetch = 100, settle = () => undefined, broker = this.broker, paused = false } = how;
    const deliveries = new Recorder<Delivery>('deliveries', showDelivery);
    const ready = new Recorder<'ready'>('calls of onReady');
    const interruptions = new Recorder<Error>('interruptions', ({ message }) => message);
    const subscription = await broker.consume({
      queues: queues.map((name, i) => ({
        name,
        prefetch: typeof prefetch === 'number' ? prefetch : prefetch[i]!,
      })),
      paused,
      onDelivery(delivery) {
        deliveries.record(delivery);
        settle(delivery);
      },
      onReady: () => ready.record('ready'),
      onInterrupted: interruptions.record,
    });
    return { subscription, deliveries, ready, interruptions };
  }

  /** Consumers go and what they held comes back in one step of a queue, so after this its depth is what is left. */
  async depthWithoutConsumers(queue: string): Promise<number> {
    const depth = await until(
      () => this.broker.depth(queue),
      (seen): seen is QueueDepth => seen?.consumers === 0,
    );
    return depth!.messages;
  }

  /** Takes everything that is in a queue; texts in order. */
  async drain(queue: string): Promise<string[]> {
    const bodies: string[] = [];
    for (let next = await this.broker.get(queue); next; next = await this.broker.get(queue)) {
      bodies.push(text(next));
      next.ack();
    }
    return bodies;
  }

  /** Waits for the next message of a queue and acks it. */
  async take(queue: string): Promise<Delivery> {
    const delivery = await until(
      () => this.broker.get(queue),
      (got) => got !== undefined,
    );
    delivery!.ack();
    return delivery!;
  }

  /** Removes what the test declared, ends its connections and says what is left. */
  async end(): Promise<string[]> {
    await Promise.all(this.#brokers.map((broker) => broker.close()));
    const cleaner = this.make();
    await cleaner.connect();
    await cleaner.remove(this.#made);
    const depths = await Promise.all(
      this.#made.queues.map(async ({ name }) => ({ name, depth: await cleaner.depth(name) })),
    );
    await cleaner.close();
    return [
      ...depths.filter(({ depth }) => depth !== undefined).map(({ name }) => `queue ${name}`),
      ...[...this.#brokers, cleaner].filter(({ connected }) => connected).map((_, i) => `connection ${i}`),
    ];
  }
}

export function text({ body }: Delivery): string {
  return body.toString();
}

export function texts(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(text);
}

/** `['m0', 'm1', …]` */
export function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `m${i}`);
}

function showDelivery(delivery: Delivery): string {
  return `${delivery.queue} "${text(delivery).slice(0, 40)}"${delivery.redelivered ? ' redelivered' : ''}`;
}
