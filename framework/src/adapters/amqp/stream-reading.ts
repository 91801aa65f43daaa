import type { Channel, ConsumeMessage } from 'amqplib';
import { type Clock, pause } from '../../base/clock.js';
import { toError } from '../../base/errors.js';
import type { MessageProperties } from '../../model/message.js';
import type { StreamReading, StreamReadOptions } from '../../ports/broker.js';
import { closeChannel } from './close.js';
import type { AmqpConnection } from './connection.js';
import { asMissing, openChannel } from './topology.js';

const firstBackoffMs = 50;
const longestBackoffMs = 1_000;
const defaultPrefetch = 100;

/**
 * Reads a stream by AMQP 0-9-1, on a channel of its own. Whatever ends the channel, a new one goes on behind the last
 * message that was handed over.
 */
export class AmqpStreamReading implements StreamReading {
  #channel: Channel | undefined;
  #from: StreamReadOptions['from'];
  #opening: Promise<void> | undefined;
  #stopListening: (() => void) | undefined;
  readonly #closing = new AbortController();

  constructor(
    private readonly connection: AmqpConnection,
    private readonly options: StreamReadOptions,
    private readonly clock: Clock,
    private readonly redeclare: () => Promise<void>,
  ) {
    this.#from = options.from;
  }

  get ready(): boolean {
    return this.#channel !== undefined;
  }

  /** Resolves when the broker begins to send; rejects with what prevents it the first time. */
  async start(): Promise<void> {
    try {
      await this.#open(true);
    } catch (error) {
      await this.close();
      throw asMissing(error);
    }
    this.#stopListening = this.connection.onUp(() => this.#again());
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#stopListening?.();
    await this.#opening?.catch(() => undefined);
    const channel = this.#channel;
    this.#channel = undefined;
    if (channel) await closeChannel(channel);
  }

  #again(): void {
    this.#opening ??= this.#open(false).finally(() => (this.#opening = undefined));
  }

  async #open(once: boolean): Promise<void> {
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted && !this.#channel; failures++) {
      const { model } = this.connection;
      if (!model) return; // the next connection calls again
      try {
        const channel = await openChannel(model);
        await this.#consume(channel);
      } catch (error) {
        if (once) throw error;
        if (/NOT[_-]FOUND/.test(toError(error).message)) {
          this.#from = 'first'; // of the stream that takes the place of the one that was deleted
          await this.redeclare().catch(() => undefined);
        }
        const bound = Math.min(longestBackoffMs, firstBackoffMs * 2 ** failures);
        await pause(this.clock, bound * (0.5 + Math.random() / 2), signal);
      }
    }
  }

  async #consume(channel: Channel): Promise<void> {
    let lost = false;
    const lose = () => {
      if (lost) return;
      lost = true;
      if (this.#channel === channel) this.#channel = undefined;
      if (!this.#closing.signal.aborted) this.#again();
    };
    const ack = (message: ConsumeMessage) => {
      if (lost || this.#closing.signal.aborted) return;
      try {
        channel.ack(message);
      } catch {
        // The channel is closing: the next one begins with all its room.
      }
    };
    const onMessage = (message: ConsumeMessage | null) => {
      if (lost || this.#closing.signal.aborted) return;
      if (message) return this.#hand(message, () => ack(message));
      lose(); // the broker ended the consumer: the stream is gone, or moved
      void closeChannel(channel);
    };
    const { stream, prefetch = defaultPrefetch } = this.options;
    channel.once('close', lose);
    await channel.prefetch(prefetch);
    await channel.consume(stream, onMessage, { arguments: { 'x-stream-offset': this.#from } });
    if (!lost) this.#channel = channel;
  }

  #hand(message: ConsumeMessage, ack: () => void): void {
    const properties = message.properties as MessageProperties;
    const offset = Number(properties.headers['x-stream-offset']);
    // A reading begins at the chunk that holds its offset.
    if (typeof this.#from === 'number' && offset < this.#from) return ack();
    this.#from = offset + 1;
    this.options.onMessage({ offset, body: message.content, properties, ack });
  }
}
