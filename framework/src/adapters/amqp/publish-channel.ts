import type { ChannelModel, ConfirmChannel, Message } from 'amqplib';
import type { Clock } from '../../base/clock.js';
import type { OutgoingMessage } from '../../model/message.js';
import { closeChannel } from './close.js';
import { ConfirmLedger } from './confirm-ledger.js';
import { FrameWriter } from './frame-writer.js';

/** A message from `publish` until it is confirmed or rejected. */
export interface Entry {
  readonly message: OutgoingMessage;
  readonly deadline: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  /** Sent on a channel that never said what became of it. */
  maybeAccepted: boolean;
  /** Why the broker returned it. */
  returned: string | undefined;
  done: boolean;
  /** On the channel it was last sent on. */
  tag: number;
}

/** The broker's answer to one message, or to all up to it. */
interface Confirm {
  deliveryTag: number;
  multiple: boolean;
}

/** What a channel tells of the messages that were sent on it. */
export interface PublishChannelEvents {
  /** The broker has it, or has returned it (`entry.returned`). */
  onAck(entry: Entry): void;
  /** The broker could not take it. */
  onNack(entry: Entry, channel: PublishChannel): void;
  /** After some of either: there is room in flight. */
  onRoom(): void;
  /** The channel is gone; it says nothing of what it had in flight. `error` is why, where the broker gave a reason. */
  onLost(channel: PublishChannel, error: Error | undefined): void;
}

/** A confirm channel and what was sent on it and is not confirmed. */
export class PublishChannel {
  readonly inFlight = new ConfirmLedger<Entry>();
  readonly #writer: FrameWriter | undefined;
  #gone = false;
  #retired = false;
  #error: Error | undefined;
  /** When the broker last confirmed something on it, or had nothing to confirm. */
  #lastSign: number;

  static async open(
    model: ChannelModel,
    clock: Clock,
    events: PublishChannelEvents,
  ): Promise<PublishChannel> {
    return new PublishChannel(await model.createConfirmChannel(), clock, events);
  }

  private constructor(
    private readonly channel: ConfirmChannel,
    private readonly clock: Clock,
    private readonly events: PublishChannelEvents,
  ) {
    this.#lastSign = clock.now();
    channel.on('error', (error: Error) => (this.#error = error));
    // Before amqplib fails the confirms: a closed channel says nothing of them, which is not a nack.
    channel.prependOnceListener('close', () => this.#leave());
    channel.on('return', (message: Message) => this.#markReturned(message));
    this.#writer = FrameWriter.open(channel);
    if (this.#writer) for (const answer of ['ack', 'nack']) channel.removeAllListeners(answer); // amqplib's own account
    channel.on('ack', ({ deliveryTag, multiple }: Confirm) => this.#confirmed(deliveryTag, multiple, true));
    channel.on('nack', ({ deliveryTag, multiple }: Confirm) => this.#confirmed(deliveryTag, multiple, false));
  }

  /** Since when something is in flight without any confirm; undefined when nothing is. */
  get silentSince(): number | undefined {
    return this.inFlight.size > 0 ? this.#lastSign : undefined;
  }

  /** Says that the silence so far has a good reason. */
  excuse(): void {
    this.#lastSign = this.clock.now();
  }

  /**
   * Sends a message.
   * @returns false when the channel is closing and has not said so yet.
   * @throws what amqplib throws for a property that AMQP cannot hold.
   */
  send(entry: Entry): boolean {
    if (this.#gone) return false;
    if (this.inFlight.size === 0) this.#lastSign = this.clock.now();
    try {
      if (this.#writer) this.#writer.write(entry.message);
      else this.#publish(entry.message);
    } catch (error) {
      if ((error as Error).name === 'IllegalOperationError') return false;
      throw error;
    }
    entry.tag = this.inFlight.add(entry);
    return true;
  }

  /** It gets no more messages and ends when those in flight are confirmed or forgotten. */
  retire(): void {
    this.#retired = true;
    this.#endIfDone();
  }

  /** A message is no longer waited for. */
  forget(entry: Entry): void {
    this.inFlight.forget(entry.tag);
    this.#endIfDone();
  }

  /** Closes it without waiting for what is in flight; nothing is told of that any more. */
  async close(): Promise<void> {
    this.#gone = true;
    this.#writer?.close();
    await closeChannel(this.channel);
  }

  /** As amqplib publishes, where its inside is not as `FrameWriter` knows it. */
  #publish({ exchange, routingKey, body, properties }: OutgoingMessage): void {
    this.channel.publish(exchange, routingKey, body, { ...properties, mandatory: true, persistent: true });
  }

  #confirmed(tag: number, multiple: boolean, taken: boolean): void {
    if (this.#gone) return;
    this.#lastSign = this.clock.now();
    this.inFlight.settle(tag, multiple, taken ? this.#tellAck : this.#tellNack);
    this.events.onRoom();
    this.#endIfDone();
  }

  readonly #tellAck = (entry: Entry): void => this.events.onAck(entry);
  readonly #tellNack = (entry: Entry): void => this.events.onNack(entry, this);

  #endIfDone(): void {
    if (!this.#retired || this.inFlight.size > 0 || this.#gone) return;
    this.events.onLost(this, undefined);
    void this.close();
  }

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#writer?.close();
    this.events.onLost(this, this.#error);
  }

  #markReturned({ fields, properties }: Message): void {
    const { replyText, exchange, routingKey } = fields as unknown as Record<string, string>;
    for (const entry of this.inFlight) {
      const { message } = entry;
      if (entry.returned !== undefined || message.routingKey !== routingKey || message.exchange !== exchange)
        continue;
      if (message.properties.messageId !== properties.messageId) continue;
      entry.returned = replyText ?? 'NO_ROUTE';
      return;
    }
  }
}
