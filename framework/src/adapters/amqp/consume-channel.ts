import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { type Clock, pause } from '../../base/clock.js';
import type { ConsumeOptions } from '../../ports/broker.js';
import { AckLedger } from './ack-ledger.js';
import { closeChannel } from './close.js';
import { ConsumedDelivery, type DeliveredMessage, deliveredMessage } from './consumed-delivery.js';
import { DeliveryReader } from './delivery-reader.js';
import type { WatchedConsumer } from './dropped-consumer.js';
import { FrameWriter } from './frame-writer.js';

/** So many settlements a channel has under way to a quorum queue; it keeps others until the queue has taken some. */
const settlementsUnderWay = 32;

/** A consumer that is to end is waited for until it holds all it may; not when nothing came for the first, nor longer. */
const quietMs = 20;
const longestHoldMs = 200;

/** A consumer with this gets nothing, where the broker knows it (before 4.0); elsewhere it may see one message. */
const noCredit = { 'x-credit': { credit: { '!': 'int64', value: 0 }, drain: false } };

/** Between looks whether settlements are under way. */
const pollMs = 10;

/** A settlement that was sent longer ago is no longer under way. */
const settledForSureMs = 1_000;

interface Consumer extends WatchedConsumer {
  /** Its deliveries are told by it from those of its predecessors. */
  number: number;
  prefetch: number;
  tag: string;
}

/** Consumers on one channel, from its opening to its end, and the ledger of what it brought. */
export class ConsumeChannel {
  readonly ledger: AckLedger;
  lost = false;
  /** The shortest time that the broker took to answer, ms; 0 before it has. */
  answerMs = 0;
  /** Consumers that were given a successor, or are about to be. */
  replacements = 0;
  #consumers: Consumer[] = [];
  /** By tag, those included that are being registered, and those that have a successor. */
  readonly #byTag = new Map<string, Consumer>();
  readonly #stopReading: () => void;
  #onDelivered: (() => void) | undefined;
  #closing = false;
  /** When each of the last settlements was sent, in a ring. */
  readonly #sentAt = new Array<number>(settlementsUnderWay).fill(-Infinity);
  #sent = 0;

  static async open(
    model: ChannelModel,
    options: ConsumeOptions,
    clock: Clock,
    onLost: (error: Error) => void,
  ): Promise<ConsumeChannel> {
    return new ConsumeChannel(await model.createChannel(), options, clock, onLost);
  }

  private constructor(
    private readonly channel: Channel,
    private readonly options: ConsumeOptions,
    private readonly clock: Clock,
    private readonly onLost: (error: Error) => void,
  ) {
    let reason = new Error('the channel was closed');
    const writer = FrameWriter.open(channel);
    const message = (deliveryTag: number) => ({ fields: { deliveryTag } }) as never;
    this.ledger = new AckLedger(
      {
        ack: (tag, multiple) =>
          this.#send(() => (writer ? writer.ack(tag, multiple) : channel.ack(message(tag), multiple))),
        nack: (tag, requeue) =>
          this.#send(() => (writer ? writer.nack(tag, requeue) : channel.nack(message(tag), false, requeue))),
      },
      clock,
    );
    this.#stopReading = DeliveryReader.attach(channel, (reader) => {
      const consumer = this.#byTag.get(reader.consumerTag);
      if (consumer) this.#delivered(consumer, reader);
      return consumer !== undefined;
    });
    channel.on('error', (error: Error) => (reason = error));
    channel.once('close', () => {
      writer?.close();
      this.#abandon(reason);
    });
  }

  /** True while the broker should have a consumer for each queue. */
  get registered(): boolean {
    return !this.lost && !this.#closing && this.#consumers.length === this.options.queues.length;
  }

  /** Those that the broker should serve. */
  get consumers(): readonly WatchedConsumer[] {
    return this.#consumers;
  }

  /** @param resized instead of the prefetch that each queue began with. */
  async consume(resized?: number): Promise<void> {
    for (const { name: queue, prefetch: first } of this.options.queues) {
      const prefetch = resized ?? first;
      const hasRoom = () => !this.#isFull(consumer);
      const consumer: Consumer = { queue, number: 0, prefetch, tag: '', came: 0, hasRoom };
      await this.#register(consumer);
      this.#consumers.push(consumer);
    }
  }

  /**
   * Gives each consumer that holds all it may a successor with another prefetch; true when all have it.
   *
   * A prefetch stands for the life of its consumer. To end one while deliveries are on their way to it has a quorum queue
   * take them back, each counted like a crash, and bring them again later (3.10.8: 737 of 20,000 in 109 resizes). So acks
   * wait until the consumer holds all it may, when nothing is on its way. One that does not come to that is not limited by
   * its prefetch, and keeps it.
   */
  async resize(prefetch: number): Promise<boolean> {
    const due = this.#consumers.filter((consumer) => consumer.prefetch !== prefetch);
    if (due.length === 0 || !this.registered) return due.length === 0;
    this.ledger.hold();
    try {
      await this.#untilFull(due);
      for (const consumer of due) if (this.#isFull(consumer)) await this.#replace(consumer, prefetch);
    } finally {
      this.ledger.release();
    }
    return due.every((consumer) => consumer.prefetch === prefetch);
  }

  async #replace(consumer: Consumer, prefetch: number): Promise<void> {
    this.replacements++;
    await this.channel.cancel(consumer.tag);
    consumer.prefetch = prefetch;
    await this.#register(consumer);
  }

  #isFull({ number, prefetch }: Consumer): boolean {
    return this.ledger.unacked(number) >= prefetch;
  }

  /** Resolves when each of these consumers holds all it may, or nothing has come for a while. */
  #untilFull(consumers: readonly Consumer[]): Promise<void> {
    return new Promise((resolve) => {
      const latest = this.clock.now() + longestHoldMs;
      const done = () => {
        timer.cancel();
        this.#onDelivered = undefined;
        resolve();
      };
      const full = () => consumers.every((consumer) => this.#isFull(consumer));
      let timer = this.clock.setTimer(full() ? 0 : quietMs, done);
      this.#onDelivered = () => {
        timer.cancel();
        if (full() || this.clock.now() > latest) done();
        else timer = this.clock.setTimer(quietMs, done);
      };
    });
  }

  async #register(consumer: Consumer): Promise<void> {
    const askedAt = performance.now();
    await this.channel.prefetch(consumer.prefetch);
    const tookMs = performance.now() - askedAt;
    this.answerMs = Math.min(this.answerMs || Infinity, tookMs);
    this.ledger.enough = Math.ceil(consumer.prefetch / 2);
    const onMessage = (message: ConsumeMessage | null) =>
      message ? this.#delivered(consumer, deliveredMessage(message)) : this.dropped(consumer.queue);
    consumer.number = this.#byTag.size;
    consumer.tag = `jobrail-${consumer.number}`;
    this.#byTag.set(consumer.tag, consumer);
    await this.channel.consume(consumer.queue, onMessage, { consumerTag: consumer.tag });
  }

  /** When nothing is on its way, for the same reason. */
  async cancel(): Promise<void> {
    this.ledger.hold();
    await this.#untilFull(this.#consumers);
    await this.#endConsumers();
    this.ledger.release();
  }

  async #endConsumers(): Promise<void> {
    const consumers = this.#consumers;
    this.#consumers = [];
    await Promise.all(consumers.map(({ tag }) => this.channel.cancel(tag))).catch(() => undefined);
  }

  /** Resolves when a crash would no longer take acks along: none is kept here, nor by the channel for its queue. */
  async settled(): Promise<void> {
    while (!this.lost && (!this.ledger.sendAll() || this.#keepsSettlements)) await pause(this.clock, pollMs);
    if (!this.lost) await this.channel.checkQueue(this.options.queues[0]!.name).catch(() => undefined);
  }

  /** The channel is closed before anything else: closing the connection behind an ack loses the ack. */
  async close(): Promise<void> {
    this.#closing = true;
    this.ledger.close();
    this.#stopReading();
    await this.#letSettlementsThrough().catch(() => undefined);
    await closeChannel(this.channel);
  }

  /**
   * What the channel still keeps for a quorum queue it forgets when it is closed (3.10.8: up to 224 of 257 acks). Ending
   * a consumer goes through the queue behind what is under way, and what was kept follows. A paused channel has no
   * consumer to end; if it must, it gets one that is given nothing.
   */
  async #letSettlementsThrough(): Promise<void> {
    if (this.#consumers.length > 0) return this.#endConsumers();
    if (!this.#keepsSettlements) return;
    for (const { name } of this.options.queues) {
      await this.channel.prefetch(1);
      const { consumerTag } = await this.channel.consume(name, () => undefined, { arguments: noCredit });
      await this.channel.cancel(consumerTag);
    }
  }

  /** Whether the channel may keep settlements back, because too many are under way to the queue. */
  get #keepsSettlements(): boolean {
    const firstOfLast = this.#sentAt[this.#sent % settlementsUnderWay]!;
    return firstOfLast >= this.clock.now() - settledForSureMs;
  }

  #delivered(consumer: Consumer, message: DeliveredMessage): void {
    const { queue, number } = consumer;
    if (this.#closing || this.lost) return; // the broker gets it back with the channel
    consumer.came++;
    this.ledger.delivered(message.deliveryTag, number);
    this.options.onDelivery(new ConsumedDelivery(queue, message, this.ledger));
    this.#onDelivered?.();
  }

  /** The broker ended one consumer: the queue is gone or moved, or an ack took too long. All start again, on a channel. */
  dropped(queue: string): void {
    this.ledger.flush();
    this.#abandon(new Error(`the broker no longer serves the consumer of queue "${queue}"`));
    void closeChannel(this.channel);
  }

  #abandon(reason: Error): void {
    if (this.lost || this.#closing) return;
    this.lost = true;
    this.ledger.abandon();
    this.#stopReading();
    this.onLost(reason);
  }

  /** A channel that is closing throws; what could not be sent is void anyway, because the broker requeues it. */
  #send(frame: () => void): void {
    this.#sentAt[this.#sent++ % settlementsUnderWay] = this.clock.now();
    try {
      frame();
    } catch {
      this.ledger.abandon();
    }
  }
}
