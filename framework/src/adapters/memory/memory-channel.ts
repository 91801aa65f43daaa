import type { MessageProperties } from '../../model/message.js';
import type { Delivery } from '../../ports/broker.js';
import type { MemoryQueue, QueueConsumer } from './memory-queue.js';
import type { StoredMessage } from './ready-messages.js';

/** What one channel was handed and has not settled. When it ends, its queues get all of it back. */
export class MemoryChannel {
  readonly #held = new Set<MemoryDelivery>();
  #closed = false;

  get closed(): boolean {
    return this.#closed;
  }

  hold(queue: MemoryQueue, stored: StoredMessage, onSettled?: () => void): MemoryDelivery {
    const delivery = new MemoryDelivery(queue, stored, this, () => {
      this.#held.delete(delivery);
      onSettled?.();
    });
    this.#held.add(delivery);
    return delivery;
  }

  close(): void {
    this.#closed = true;
    const held = [...this.#held].filter(({ source }) => !source.deleted);
    this.#held.clear();
    for (const queue of new Set(held.map(({ source }) => source))) {
      queue.giveBack(held.filter(({ source }) => source === queue).map(({ stored }) => stored));
    }
  }
}

/** The consumer of one queue on a channel. */
export class MemoryConsumer implements QueueConsumer {
  #held = 0;
  #prefetch: number;

  constructor(
    readonly queue: MemoryQueue,
    private readonly options: {
      channel: MemoryChannel;
      /** 0 for no limit. */
      prefetch: number;
      onDelivery: (delivery: Delivery) => void;
      onCancelled: () => void;
    },
  ) {
    this.#prefetch = options.prefetch;
  }

  get hasRoom(): boolean {
    return this.#prefetch === 0 || this.#held < this.#prefetch;
  }

  resize(prefetch: number): void {
    this.#prefetch = prefetch;
    this.queue.roomChanged();
  }

  accept(stored: StoredMessage): () => void {
    this.#held++;
    const delivery = this.options.channel.hold(this.queue, stored, () => this.#held--);
    return () => {
      if (!delivery.stale) this.options.onDelivery(delivery);
    };
  }

  cancelled(): void {
    this.options.onCancelled();
  }
}

export class MemoryDelivery implements Delivery {
  readonly exchange: string;
  readonly routingKey: string;
  readonly redelivered: boolean;
  readonly body: Buffer;
  readonly properties: MessageProperties;
  #settled = false;

  constructor(
    readonly source: MemoryQueue,
    readonly stored: StoredMessage,
    private readonly channel: MemoryChannel,
    private readonly onSettled: () => void,
  ) {
    const { message, returns } = stored;
    this.exchange = message.exchange;
    this.routingKey = message.routingKey;
    this.redelivered = returns > 0;
    // Copies, so that whoever changes them changes nothing for the next delivery.
    this.body = Buffer.from(message.body);
    this.properties = structuredClone(message.properties);
    if (source.quorum && returns > 0) this.properties.headers['x-delivery-count'] = returns;
  }

  get queue(): string {
    return this.source.name;
  }

  get stale(): boolean {
    return this.channel.closed || this.source.deleted;
  }

  ack(): void {
    this.#settle(() => this.source.ack());
  }

  requeue(): void {
    this.#settle(() => this.source.requeue(this.stored));
  }

  reject(): void {
    this.#settle(() => this.source.reject(this.stored));
  }

  #settle(tell: () => void): void {
    if (this.#settled || this.stale) return;
    this.#settled = true;
    this.onSettled();
    tell();
  }
}
