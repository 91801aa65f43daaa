import type { ConsumeOptions, Delivery, Subscription } from '../../ports/broker.js';
import { MemoryChannel, MemoryConsumer } from './memory-channel.js';
import { type MemoryNode, missing } from './memory-node.js';

/**
 * Consumers of some queues on one channel. When one of the queues is deleted, the channel is given up with all it
 * brought, and a new one registers the consumers again as soon as the queues exist.
 */
export class MemorySubscription implements Subscription {
  readonly answerMs = 0;
  #channel = new MemoryChannel();
  #consumers: MemoryConsumer[] = [];
  #interrupted = false;
  #paused: boolean;
  #closed = false;
  /** Instead of the prefetch that each queue began with. */
  #prefetch: number | undefined;

  constructor(
    private readonly node: MemoryNode,
    private readonly options: ConsumeOptions,
    private readonly redeclare: () => void,
  ) {
    this.#paused = options.paused ?? false;
  }

  get ready(): boolean {
    return !this.#closed && !this.#paused && !this.#interrupted;
  }

  /** @throws TopologyError (`JR_TOPOLOGY_MISSING`) when a queue does not exist. */
  start(): void {
    if (!this.#paused) this.#register();
    this.options.onReady?.();
  }

  async pause(): Promise<void> {
    this.#paused = true;
    this.#cancel();
    await this.node.activity.turn();
  }

  async resume(): Promise<void> {
    if (this.#paused && !this.#closed) {
      this.#paused = false;
      if (!this.#interrupted) this.#register();
    }
    await this.node.activity.turn();
  }

  async resize(prefetch: number): Promise<boolean> {
    this.#prefetch = prefetch;
    for (const consumer of this.#consumers) consumer.resize(prefetch);
    await this.node.activity.turn();
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    this.#channel.close();
    await this.node.activity.turn();
  }

  #register(): void {
    const queues = this.options.queues.map(({ name, prefetch }) => {
      const queue = this.node.queue(name);
      if (!queue) throw missing(`queue "${name}"`);
      return { queue, prefetch };
    });
    const onDelivery = (delivery: Delivery) => this.options.onDelivery(delivery);
    this.#consumers = queues.map(({ queue, prefetch }) => {
      const onCancelled = () => this.#interrupt(queue.name);
      const consumer = new MemoryConsumer(queue, {
        channel: this.#channel,
        prefetch: this.#prefetch ?? prefetch,
        onDelivery,
        onCancelled,
      });
      queue.addConsumer(consumer);
      return consumer;
    });
  }

  #cancel(): void {
    for (const consumer of this.#consumers.splice(0)) consumer.queue.removeConsumer(consumer);
  }

  #interrupt(queue: string): void {
    if (this.#closed || this.#interrupted) return;
    this.#interrupted = true;
    this.#cancel();
    this.#channel.close();
    this.node.activity.later(() => {
      if (this.#closed) return;
      this.options.onInterrupted?.(new Error(`the broker cancelled the consumer of queue "${queue}"`));
      void this.#restore();
    });
  }

  async #restore(): Promise<void> {
    this.#channel = new MemoryChannel();
    while (!this.#closed) {
      try {
        this.redeclare();
        if (!this.#paused) this.#register();
        this.#interrupted = false;
        this.options.onReady?.();
        return;
      } catch {
        // A queue is still missing, or exists with other arguments: whoever mends that changes something.
        await this.node.changed();
      }
    }
  }
}
