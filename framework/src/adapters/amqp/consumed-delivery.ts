import type { ConsumeMessage } from 'amqplib';
import type { MessageProperties } from '../../model/message.js';
import type { Delivery } from '../../ports/broker.js';
import type { AckLedger } from './ack-ledger.js';
import { whyUnreadable } from './unreadable-headers.js';

/** A delivery to a consumer. It is settled through the ledger of the channel that brought it, or not at all. */
export class ConsumedDelivery implements Delivery {
  readonly #ledger: AckLedger;
  readonly #tag: number;
  readonly exchange: string;
  readonly routingKey: string;
  readonly redelivered: boolean;
  readonly body: Buffer;
  readonly properties: MessageProperties;

  constructor(
    readonly queue: string,
    { fields, properties, content }: ConsumeMessage,
    ledger: AckLedger,
  ) {
    this.#ledger = ledger;
    this.#tag = fields.deliveryTag;
    this.exchange = fields.exchange;
    this.routingKey = fields.routingKey;
    this.redelivered = fields.redelivered;
    this.body = content;
    this.properties = properties as MessageProperties;
  }

  get stale(): boolean {
    return this.#ledger.closed;
  }

  get unreadable(): Error | undefined {
    return whyUnreadable(this.properties);
  }

  ack(): void {
    this.#ledger.ack(this.#tag);
  }

  requeue(): void {
    this.#ledger.nack(this.#tag, true);
  }

  reject(): void {
    this.#ledger.nack(this.#tag, false);
  }
}
