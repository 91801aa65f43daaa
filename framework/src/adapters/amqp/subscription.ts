import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { type Clock, pause } from '../../base/clock.js';
import { toError } from '../../base/errors.js';
import type { ConsumeOptions, Subscription } from '../../ports/broker.js';
import { AckLedger } from './ack-ledger.js';
import { closeChannel } from './close.js';
import { ConsumedDelivery, type DeliveredMessage, deliveredMessage } from './consumed-delivery.js';
import type { AmqpConnection } from './connection.js';
import { DeliveryReader } from './delivery-reader.js';
import { droppedConsumer, type WatchedConsumer } from './dropped-consumer.js';
import { FrameWriter } from './frame-writer.js';
import { asMissing } from './topology.js';

const firstBackoffMs = 50;
const longestBackoffMs = 1_000;

/** Between looks whether the broker still has the consumers. */
const lookEveryMs = 2_000;

/** So many settlements a channel has under way to a quorum queue; it keeps others until the queue has taken some. */
const settlementsUnderWay = 32;

/** A consumer that is to end is waited for until it holds all it may; not when nothing came for the first, nor longer. */
const quietMs = 20;
const longestHoldMs = 200;

/** A consumer with this gets nothing, where the broker knows it (before 4.0); elsewhere it may see one message. */
const noCredit = { 'x-credit': { credit: { '!': 'int64', value: 0 }, drain: false } };

/** A settlement that was sent longer ago is no longer under way. */
const settledForSureMs = 1_000;

/**
 * Consumers of some queues on one channel, restored after any failure.
 *
 * Each channel is a generation with a ledger of its own; a delivery keeps the ledger it came with, so its ack goes to
 * the very channel that brought it or nowhere. When the channel or one of its consumers is lost (connection, ack
 * timeout, queue deleted, failover), the generation is abandoned and a new channel registers all consumers again;
 * if a queue is missing, the topology is declared first. What the broker forgets to tell is looked for.
 */
export class AmqpSubscription implements Subscription {
  #generation: Generation | undefined;
  #paused: boolean;
  #stopped = false;
  #restoring: Promise<void> | undefined;
  /** Instead of the prefetch that each queue began with. */
  #prefetch: number | undefined;
  #resizing: Promise<boolean> | undefined;
  readonly #stopping = new AbortController();
  #stopListening: (() => void) | undefined;

  constructor(
    private readonly connection: AmqpConnection,
    private readonly options: ConsumeOptions,
    private readonly clock: Clock,
    private readonly redeclare: () => Promise<void>,
  ) {
    this.#paused = options.paused ?? false;
  }

  get ready(): boolean {
    return this.#generation !== undefined && !this.#paused && this.connection.fresh;
  }

  /** Resolves when all consumers are registered; rejects with what prevents it the first time. */
  async start(): Promise<void> {
    try {
      await this.#restore(true);
    } catch (error) {
      await this.close();
      throw asMissing(error);
    }
    this.#stopListening = this.connection.onUp(() => void this.#restore().catch(() => undefined));
    void this.#keepLooking();
  }

  async pause(): Promise<void> {
    this.#paused = true;
    await this.#restoring?.catch(() => undefined);
    await this.#resizing;
    await this.#generation?.cancel();
  }

  async resume(): Promise<void> {
    if (!this.#paused) return;
    this.#paused = false;
    await this.#restoring?.catch(() => undefined);
    const prefetch = this.#prefetch;
    await this.#generation?.consume(prefetch);
    if (this.#prefetch !== prefetch) await this.resize(this.#prefetch!);
  }

  async resize(prefetch: number): Promise<boolean> {
    this.#prefetch = prefetch;
    this.#resizing ??= this.#resize().finally(() => (this.#resizing = undefined));
    return this.#resizing;
  }

  async close(): Promise<void> {
    this.#stopped = true;
    this.#stopping.abort();
    this.#stopListening?.();
    await this.#restoring?.catch(() => undefined);
    await this.#resizing;
    const generation = this.#generation;
    this.#generation = undefined;
    await generation?.close();
  }

  #restore(once = false): Promise<void> {
    this.#restoring ??= this.#open(once).finally(() => (this.#restoring = undefined));
    return this.#restoring;
  }

  /** Until the consumers have what was asked for last. A generation that is lost or paused meanwhile starts with it. */
  async #resize(): Promise<boolean> {
    for (;;) {
      const prefetch = this.#prefetch!;
      await this.#restoring?.catch(() => undefined);
      if (this.#paused || this.#stopped) return false;
      const done = await this.#generation?.resize(prefetch).catch(() => false);
      if (prefetch === this.#prefetch) return done ?? false;
    }
  }

  async #open(once: boolean): Promise<void> {
    for (let failures = 0; !this.#stopped && !this.#generation; failures++) {
      const { model } = this.connection;
      if (!model) return; // the next connection calls again
      try {
        const generation = await Generation.open(model, this.options, this.clock, (error) =>
          this.#lost(error),
        );
        if (!this.#paused) await generation.consume(this.#prefetch);
        if (generation.lost) continue;
        this.#generation = generation;
        this.options.onReady?.();
      } catch (error) {
        if (once) throw error;
        if (/NOT[_-]FOUND/.test(toError(error).message)) await this.redeclare().catch(() => undefined);
        const bound = Math.min(longestBackoffMs, firstBackoffMs * 2 ** failures);
        await pause(this.clock, bound * (0.5 + Math.random() / 2), this.#stopping.signal);
      }
    }
  }

  /** Notices a consumer that the broker has dropped without a word, until the end. */
  async #keepLooking(): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      await pause(this.clock, lookEveryMs, signal);
      if (signal.aborted) return;
      const generation = this.#generation;
      const { model } = this.connection;
      if (!model || !generation?.registered || this.#resizing) continue;
      const { replacements } = generation;
      const look = droppedConsumer(model, generation.consumers).catch(() => undefined);
      const dropped = await Promise.race([look, this.#unanswered()]);
      if (generation.replacements > replacements) continue; // it may have looked between two consumers
      if (dropped !== undefined && generation.registered) generation.dropped(dropped);
    }
  }

  /** A broker that does not answer a look is asked again. */
  async #unanswered(): Promise<undefined> {
    await pause(this.clock, lookEveryMs, this.#stopping.signal);
  }

  #lost(error: Error): void {
    const wasReady = this.#generation !== undefined;
    this.#generation = undefined;
    if (this.#stopped) return;
    if (wasReady) this.options.onInterrupted?.(error);
    void this.#restore().catch(() => undefined);
  }
}

interface Consumer extends WatchedConsumer {
  /** Its deliveries are told by it from those of its predecessors. */
  number: number;
  prefetch: number;
  tag: string;
}

/** One channel, from its opening to its end. */
class Generation {
  readonly ledger: AckLedger;
  lost = false;
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
  ): Promise<Generation> {
    return new Generation(await model.createChannel(), options, clock, onLost);
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
    await this.channel.prefetch(consumer.prefetch);
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
    const firstOfLast = this.#sentAt[this.#sent % settlementsUnderWay]!;
    if (firstOfLast < this.clock.now() - settledForSureMs) return;
    for (const { name } of this.options.queues) {
      await this.channel.prefetch(1);
      const { consumerTag } = await this.channel.consume(name, () => undefined, { arguments: noCredit });
      await this.channel.cancel(consumerTag);
    }
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
