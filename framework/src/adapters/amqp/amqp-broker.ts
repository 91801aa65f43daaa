import type { ChannelModel } from 'amqplib';
import { type Clock, pause, systemClock } from '../../base/clock.js';
import { type Duration, durationMs } from '../../base/duration.js';
import type { OutgoingMessage } from '../../model/message.js';
import { mergeTopologies, type Topology, withoutTopology } from '../../model/topology.js';
import type {
  Broker,
  BrokerInfo,
  ConsumeOptions,
  DeclareOptions,
  Delivery,
  QueueDepth,
  StreamReading,
  StreamReadOptions,
  Subscription,
  ReplyLine,
  ReplyLineOptions,
} from '../../ports/broker.js';
import { AmqpConnection } from './connection.js';
import { AmqpPublisher } from './publisher.js';
import { PulledDelivery } from './pulled-delivery.js';
import { AmqpReplyLine } from './reply-line.js';
import { AmqpStreamReading } from './stream-reading.js';
import { AmqpSubscription } from './subscription.js';
import { checkTls, type TlsOptions } from './tls.js';
import { asMissing, declareTopology, openChannel, removeTopology } from './topology.js';
import { brokerUrls } from './url.js';

export interface AmqpBrokerOptions {
  /** One URL, several, or a comma-separated list; tried in turn. */
  url: string | readonly string[];
  /** Certificates for `amqps://` URLs. */
  tls?: TlsOptions;
  /** Shown by the broker's management pages. Default `jobrail`. */
  name?: string;
  /** How long `connect` waits for the first connection. Default 10 s. */
  connectTimeout?: Duration;
  /** How long `publish` waits for a confirm before it rejects. Default 10 s. */
  publishTimeout?: Duration;
  /** Published and not yet confirmed messages. Default 1,000. */
  window?: number;
  clock?: Clock;
}

const handshakeMs = 5_000;
const heartbeatS = 10;
const mostWaiting = 50_000;

/** A queue that was deleted is not declared again before its consumers can have heard of it; see dropped-consumer.ts. */
const hearOfItMs = 500;

/**
 * RabbitMQ 3.10 to 4.3 by amqplib. Publishing and consuming have a connection each, because a broker in a resource
 * alarm stops reading from publishers, and acks must not stand behind that.
 */
export class AmqpBroker implements Broker {
  readonly #publishing: AmqpConnection;
  readonly #consuming: AmqpConnection;
  readonly #publisher: AmqpPublisher;
  readonly #subscriptions = new Set<AmqpSubscription>();
  readonly #readings = new Set<AmqpStreamReading>();
  readonly #settlements = new Set<Promise<void>>();
  readonly #clock: Clock;
  readonly #connectTimeoutMs: number;
  #declared: Topology = { exchanges: [], queues: [], bindings: [] };

  /** @throws OptionError for a URL, a duration or a certificate that is none. Connects only in `connect`. */
  constructor(options: AmqpBrokerOptions) {
    const { name = 'jobrail', clock = systemClock } = options;
    this.#clock = clock;
    this.#connectTimeoutMs = durationMs(options.connectTimeout ?? '10s', 'connectTimeout');
    if (options.tls) checkTls(options.tls);
    const connection = { urls: brokerUrls(options.url), tls: options.tls, clock, handshakeMs, heartbeatS };
    this.#publishing = new AmqpConnection({ ...connection, name: `${name} publishing` });
    this.#consuming = new AmqpConnection({ ...connection, name: `${name} consuming` });
    this.#publisher = new AmqpPublisher(this.#publishing, {
      clock,
      window: options.window ?? 1_000,
      mostWaiting,
      timeoutMs: durationMs(options.publishTimeout ?? '10s', 'publishTimeout'),
    });
  }

  get info(): BrokerInfo | undefined {
    return this.#publishing.info;
  }

  get connected(): boolean {
    return this.#publishing.model !== undefined;
  }

  async connect(): Promise<void> {
    await this.#publishing.open(this.#connectTimeoutMs);
  }

  async declare(topology: Topology, { again = false }: DeclareOptions = {}): Promise<void> {
    if (again) await pause(this.#clock, hearOfItMs);
    await this.#request((model) => declareTopology(model, topology));
    this.#declared = mergeTopologies(this.#declared, topology);
  }

  async remove(topology: Topology): Promise<void> {
    this.#declared = withoutTopology(this.#declared, topology);
    await this.#request((model) => removeTopology(model, topology));
  }

  publish(message: OutgoingMessage): Promise<void> {
    return this.#publisher.publish(message);
  }

  async consume(options: ConsumeOptions): Promise<Subscription> {
    await this.#consuming.open(this.#connectTimeoutMs);
    const subscription = new AmqpSubscription(this.#consuming, options, this.#clock, () =>
      this.declare(this.#declared, { again: true }),
    );
    await subscription.start();
    this.#subscriptions.add(subscription);
    return subscription;
  }

  async readStream(options: StreamReadOptions): Promise<StreamReading> {
    await this.#consuming.open(this.#connectTimeoutMs);
    const reading = new AmqpStreamReading(this.#consuming, options, this.#clock, () =>
      this.declare(this.#declared),
    );
    await reading.start();
    this.#readings.add(reading);
    return reading;
  }

  get(queue: string): Promise<Delivery | undefined> {
    return this.#consuming.request(this.#connectTimeoutMs, async (model) => {
      const channel = await openChannel(model);
      const message = await channel.get(queue).catch((error: unknown) => {
        throw asMissing(error);
      });
      if (message !== false) return new PulledDelivery(queue, message, channel, this.#settling);
      await channel.close();
      return undefined;
    });
  }

  async settled(): Promise<void> {
    await Promise.all([...this.#settlements, ...[...this.#subscriptions].map((each) => each.settled())]);
  }

  async openReplies(options: ReplyLineOptions): Promise<ReplyLine> {
    return AmqpReplyLine.open(await this.#publishing.open(this.#connectTimeoutMs), options);
  }

  depth(queue: string): Promise<QueueDepth | undefined> {
    return this.#request(async (model) => {
      const channel = await openChannel(model);
      try {
        const { messageCount, consumerCount } = await channel.checkQueue(queue);
        await channel.close();
        return { messages: messageCount, consumers: consumerCount };
      } catch (error) {
        if ((error as { code?: number }).code === 404) return undefined;
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#subscriptions, ...this.#readings].map((reader) => reader.close()));
    await Promise.all([this.#publisher.close(), ...this.#settlements]);
    await Promise.all([this.#publishing.close(), this.#consuming.close()]);
  }

  readonly #settling = (settlement: Promise<void>): void => {
    this.#settlements.add(settlement);
    void settlement.finally(() => this.#settlements.delete(settlement));
  };

  /** For what is neither a job nor a delivery; not on the connection that a resource alarm may block, where there are two. */
  #request<T>(ask: (model: ChannelModel) => Promise<T>): Promise<T> {
    const connection = this.#subscriptions.size > 0 ? this.#consuming : this.#publishing;
    return connection.request(this.#connectTimeoutMs, ask);
  }
}
