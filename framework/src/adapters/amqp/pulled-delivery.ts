import type { Channel, GetMessage } from 'amqplib';
import type { MessageProperties } from '../../model/message.js';
import type { Delivery } from '../../ports/broker.js';
import { closeChannel } from './close.js';
import { whyUnreadable } from './unreadable-headers.js';

/** A message that was taken without a consumer. It has a channel of its own, which ends when it is settled. */
export class PulledDelivery implements Delivery {
  readonly exchange: string;
  readonly routingKey: string;
  readonly redelivered: boolean;
  readonly body: Buffer;
  readonly properties: MessageProperties;
  #settled = false;
  #lost = false;

  constructor(
    readonly queue: string,
    private readonly message: GetMessage,
    private readonly channel: Channel,
    /** Told of the settlement that is under way: a connection that is closed before it has ended loses it. */
    private readonly onSettling: (settling: Promise<void>) => void,
  ) {
    const { fields, properties, content } = message;
    this.exchange = fields.exchange;
    this.routingKey = fields.routingKey;
    this.redelivered = fields.redelivered;
    this.body = content;
    this.properties = properties as MessageProperties;
    channel.once('close', () => (this.#lost = true));
  }

  get stale(): boolean {
    return this.#lost && !this.#settled;
  }

  get unreadable(): Error | undefined {
    return whyUnreadable(this.properties);
  }

  ack(): void {
    this.#settle(() => this.channel.ack(this.message));
  }

  requeue(): void {
    this.#settle(() => this.channel.nack(this.message, false, true));
  }

  reject(): void {
    this.#settle(() => this.channel.nack(this.message, false, false));
  }

  #settle(frame: () => void): void {
    if (this.#settled || this.#lost) return;
    this.#settled = true;
    frame();
    this.onSettling(closeChannel(this.channel));
  }
}
