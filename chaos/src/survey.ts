import { type Channel, type ChannelModel, connect } from 'amqplib';
import type { DeadLetter, LeftOver } from './history.js';

/** RabbitMQ queues of a prefix, by their names on the wire (docs/wire.md). */
const deadQueue = (prefix: string) => `${prefix}.work.dead`;
const workQueues = (prefix: string) =>
  ['work', 'work.p1', 'work.suspects', 'unroutable'].map((word) => `${prefix}.${word}`);
const delayQueues = (prefix: string) =>
  Array.from(
    { length: 7 * 15 },
    (_, i) => `${prefix}.delay.${Math.floor(i / 15)}.${((i % 15) + 1).toString(16)}`,
  );
const streams = (prefix: string) => ['control', 'events'].map((word) => `${prefix}.${word}`);
const exchanges = (prefix: string) => [
  ...['jobs', 'dead', 'unroutable', 'delay.deliver'].map((word) => `${prefix}.${word}`),
  ...Array.from({ length: 7 }, (_, level) => `${prefix}.delay.${level}`),
];

/** Looks into the queues of a scenario by plain AMQP, without Jobrail. */
export class Survey {
  #model: Promise<ChannelModel> | undefined;
  readonly #known = new Set<string>();

  constructor(
    private readonly urls: readonly string[],
    private readonly prefix: string,
  ) {}

  /** Messages that are ready in any queue but the dead letters. */
  async waiting(): Promise<number> {
    await this.#discover();
    const depths = await Promise.all([...this.#known].map((queue) => this.#depth(queue)));
    return depths.reduce<number>((sum, depth) => sum + (depth ?? 0), 0);
  }

  async deadCount(): Promise<number> {
    return (await this.#depth(deadQueue(this.prefix))) ?? 0;
  }

  /** Takes all dead letters. */
  async deadLetters(): Promise<DeadLetter[]> {
    const letters: DeadLetter[] = [];
    await this.#drain(deadQueue(this.prefix), (id, headers) =>
      letters.push({
        id,
        reason: (headers['x-jobrail-dead-reason'] as string | undefined) ?? 'by the broker',
      }),
    );
    return letters;
  }

  /** Takes all messages from the queues that should be empty. */
  async leftOvers(): Promise<LeftOver[]> {
    await this.#discover();
    const left: LeftOver[] = [];
    for (const queue of this.#known) await this.#drain(queue, (id) => left.push({ queue, id }));
    return left;
  }

  /** Deletes all queues and exchanges of the prefix. */
  async clear(): Promise<void> {
    await this.#onChannel(async (channel) => {
      const queues = [...this.#known, deadQueue(this.prefix), ...streams(this.prefix)];
      for (const queue of queues) await channel.deleteQueue(queue);
      for (const exchange of exchanges(this.prefix)) await channel.deleteExchange(exchange);
    });
    this.#known.clear();
  }

  async close(): Promise<void> {
    const model = await this.#model?.catch(() => undefined);
    this.#model = undefined;
    await model?.close().catch(() => undefined);
  }

  async #discover(): Promise<void> {
    const unknown = [...workQueues(this.prefix), ...delayQueues(this.prefix)].filter(
      (queue) => !this.#known.has(queue),
    );
    await Promise.all(
      unknown.map(async (queue) => (await this.#depth(queue)) !== undefined && this.#known.add(queue)),
    );
  }

  /** Undefined when there is no such queue. */
  async #depth(queue: string): Promise<number | undefined> {
    try {
      return await this.#onChannel(async (channel) => (await channel.checkQueue(queue)).messageCount);
    } catch (error) {
      if ((error as { code?: number }).code === 404) return undefined;
      throw error;
    }
  }

  async #drain(queue: string, take: (id: string, headers: Record<string, unknown>) => void): Promise<void> {
    if (!(await this.#depth(queue))) return;
    await this.#onChannel(async (channel) => {
      for (let message = await channel.get(queue); message; message = await channel.get(queue)) {
        take(String(message.properties.messageId), message.properties.headers ?? {});
        channel.ack(message);
      }
    });
  }

  async #onChannel<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await (await this.#connection()).createChannel();
    channel.on('error', () => undefined);
    const result = await work(channel);
    await channel.close();
    return result;
  }

  #connection(): Promise<ChannelModel> {
    this.#model ??= this.#connect().then(
      (model) => {
        model.on('error', () => undefined);
        model.once('close', () => (this.#model = undefined));
        return model;
      },
      (error: unknown) => {
        this.#model = undefined;
        throw error;
      },
    );
    return this.#model;
  }

  /** To the first node that answers. */
  async #connect(): Promise<ChannelModel> {
    let failure: unknown;
    for (const url of this.urls) {
      try {
        return await connect(url, { noDelay: true, timeout: 5_000 });
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}
