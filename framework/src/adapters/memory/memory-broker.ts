import { type Clock, systemClock } from '../../base/clock.js';
import { BrokerError, PublishError } from '../../base/errors.js';
import type { OutgoingMessage } from '../../model/message.js';
import { mergeTopologies, type Topology, withoutTopology } from '../../model/topology.js';
import type {
  Broker,
  BrokerInfo,
  ConsumeOptions,
  Delivery,
  QueueDepth,
  ReplyLine,
  ReplyLineOptions,
  StreamReading,
  StreamReadOptions,
  Subscription,
} from '../../ports/broker.js';
import { MemoryChannel } from './memory-channel.js';
import { MemoryNode, missing } from './memory-node.js';
import { MemoryReplyLine } from './memory-reply-line.js';
import { MemoryStreamReading } from './memory-stream-reading.js';
import { MemorySubscription } from './memory-subscription.js';

export interface MemoryBrokerOptions {
  /** What drives the time to live of messages. Default: the time of this machine. */
  clock?: Clock;
  /** The node to connect to, to share one among several brokers. Default: one of its own. */
  node?: MemoryNode;
}

/** Longer than any process waits; the handle is all that matters. */
const aWhileMs = 2 ** 30;

/**
 * A connection to a broker in this process, for tests and for a demo without RabbitMQ. Nothing outlives the process.
 * As a socket would, it keeps the process alive from `connect` to `close`.
 */
export class MemoryBroker implements Broker {
  readonly info: BrokerInfo = { product: 'Jobrail memory broker', version: '3.10.0' };
  /** The node behind this connection: its counts, and whether anything is under way. */
  readonly node: MemoryNode;
  readonly #subscriptions = new Set<MemorySubscription>();
  readonly #readings = new Set<MemoryStreamReading>();
  readonly #lines = new Set<MemoryReplyLine>();
  readonly #pulls = new MemoryChannel();
  #declared: Topology = { exchanges: [], queues: [], bindings: [] };
  #handle: NodeJS.Timeout | undefined;
  #closed = false;

  constructor({ clock = systemClock, node = new MemoryNode(clock) }: MemoryBrokerOptions = {}) {
    this.node = node;
  }

  get connected(): boolean {
    return this.#handle !== undefined;
  }

  async connect(): Promise<void> {
    await this.#open();
  }

  async declare(topology: Topology): Promise<void> {
    await this.#open();
    this.node.declare(topology);
    this.#declared = mergeTopologies(this.#declared, topology);
  }

  async remove(topology: Topology): Promise<void> {
    await this.#open();
    this.#declared = withoutTopology(this.#declared, topology);
    this.node.remove(topology);
  }

  async publish(message: OutgoingMessage): Promise<void> {
    this.#refuseClosed();
    const result = this.node.publish(message);
    await this.node.activity.turn();
    if (result === 'queued') return;
    const { exchange, routingKey, properties } = message;
    const why = result === 'no exchange' ? 'There is no such exchange' : 'No queue takes it';
    throw new PublishError(
      'JR_PUBLISH_RETURNED',
      `Message ${properties.messageId ?? '(no id)'} came back from exchange "${exchange}", routing key "${routingKey}". ${why}.`,
      { mend: 'Declare the queue of its contract first, or check the prefix.', maybeAccepted: false },
    );
  }

  async consume(options: ConsumeOptions): Promise<Subscription> {
    await this.#open();
    const subscription = new MemorySubscription(this.node, options, () => this.node.declare(this.#declared));
    subscription.start();
    this.#subscriptions.add(subscription);
    return subscription;
  }

  async readStream(options: StreamReadOptions): Promise<StreamReading> {
    await this.#open();
    const reading = new MemoryStreamReading(this.node, options, () => this.node.declare(this.#declared));
    reading.start();
    this.#readings.add(reading);
    return reading;
  }

  async settled(): Promise<void> {
    await this.node.activity.turn();
  }

  async get(queue: string): Promise<Delivery | undefined> {
    await this.#open();
    const source = this.node.queue(queue);
    if (!source) throw missing(`queue "${queue}"`);
    const stored = source.take();
    return stored && this.#pulls.hold(source, stored);
  }

  async openReplies(options: ReplyLineOptions): Promise<ReplyLine> {
    await this.#open();
    const line = new MemoryReplyLine(this.node, options, (message) => this.publish(message));
    this.#lines.add(line);
    return line;
  }

  async depth(queue: string): Promise<QueueDepth | undefined> {
    await this.#open();
    const found = this.node.queue(queue) ?? this.node.stream(queue);
    return found && { messages: found.ready, consumers: found.consumers };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#handle);
    this.#handle = undefined;
    this.#pulls.close();
    const readers = [...this.#subscriptions, ...this.#readings, ...this.#lines];
    await Promise.all(readers.map((reader) => reader.close()));
    this.#subscriptions.clear();
    this.#readings.clear();
    this.#lines.clear();
  }

  /** Every request takes a turn, as one over a network does. */
  async #open(): Promise<void> {
    this.#refuseClosed();
    this.#handle ??= setInterval(() => undefined, aWhileMs);
    await this.node.activity.turn();
    this.#refuseClosed();
  }

  #refuseClosed(): void {
    if (!this.#closed) return;
    throw new BrokerError('JR_BROKER_CLOSED', 'The broker connection was closed by this process.', {
      mend: 'Do not use a client or service after close() or stop().',
    });
  }
}
