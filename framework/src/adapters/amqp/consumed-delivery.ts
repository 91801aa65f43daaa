import type { ConsumeMessage } from 'amqplib';
import type { MessageProperties } from '../../model/message.js';
import type { Delivery } from '../../ports/broker.js';
import type { AckLedger } from './ack-ledger.js';
import { whyUnreadable } from './unreadable-headers.js';

/** What a delivery says of itself. */
export interface DeliveredMessage {
  readonly deliveryTag: number;
  readonly exchange: string;
  readonly routingKey: string;
  readonly redelivered: boolean;
  readonly body: Buffer;
  readonly properties: MessageProperties;
  readonly unreadable: Error | undefined;
}

/** A delivery of a consumer. It keeps the ledger of the channel that brought it, so its ack goes there or nowhere. */
export class ConsumedDelivery implements Delivery {
  readonly exchange: string;
  readonly routingKey: string;
  readonly redelivered: boolean;
  readonly body: Buffer;
  readonly properties: MessageProperties;
  readonly unreadable: Error | undefined;
  readonly #ledger: AckLedger;
  readonly #tag: number;

  constructor(
    readonly queue: string,
    message: DeliveredMessage,
    ledger: AckLedger,
  ) {
    this.#ledger = ledger;
    this.#tag = message.deliveryTag;
    this.exchange = message.exchange;
    this.routingKey = message.routingKey;
    this.redelivered = message.redelivered;
    this.body = message.body;
    this.properties = message.properties;
    this.unreadable = message.unreadable;
  }

  get stale(): boolean {
    return this.#ledger.closed;
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

/** A message as amqplib hands it to a consumer. */
export function deliveredMessage({ fields, properties, content }: ConsumeMessage): DeliveredMessage {
  const { deliveryTag, exchange, routingKey, redelivered } = fields;
  return {
    deliveryTag,
    exchange,
    routingKey,
    redelivered,
    body: content,
    properties: properties as MessageProperties,
    unreadable: whyUnreadable(properties),
  };
}
