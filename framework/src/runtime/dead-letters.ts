import { type Clock, pause } from '../base/clock.js';
import { PublishError } from '../base/errors.js';
import { type DeadLetter, readDeadLetter, replayProperties } from '../model/dead-letter.js';
import { header } from '../model/envelope.js';
import type { MessageProperties } from '../model/message.js';
import { isPack } from '../model/pack.js';
import { deadQueue, jobsExchange } from '../model/topology.js';
import type { Broker, Delivery } from '../ports/broker.js';
import type { EventSink } from '../ports/event-sink.js';
import { Pack } from './pack.js';

export interface DeadLettersOptions {
  broker: Broker;
  prefix: string;
  clock: Clock;
  /** Who acts, such as `ada@web-1`; kept for the audit. */
  by: string;
  events?: EventSink | undefined;
}

/** A letter that was taken to act on. */
export interface TakenLetter {
  readonly letter: DeadLetter;
  readonly body: Buffer;
  readonly properties: MessageProperties;
  /**
   * Sends it again, with another payload if one is given; the dead letter is gone only after the broker has confirmed
   * the job. @throws PublishError, and the letter stays
   * @param recorded the other payload as its event may carry it, as JSON.
   */
  replay(payload?: Buffer, recorded?: string): Promise<void>;
  /** Deletes it. */
  discard(): void;
}

/** A channel can hold no more; beyond, further channels are used. */
const mostOfChannel = 60_000;
/** After so long without a letter the rest is in other hands; or, where as many came as were counted, there is no more. */
const silenceMs = 1_500;
const lastLookMs = 100;

/**
 * The dead letters of queues, as they lie on the broker.
 *
 * They are read by taking all that lie there at the start, in order, and giving back those that nobody acted on: while
 * it lasts, others do not see them. A job that is sent again and dies again meanwhile is not met twice. The jobs of a pack
 * are letters of their own.
 */
export class DeadLetters {
  constructor(private readonly options: DeadLettersOptions) {}

  /** Messages that are dead letters of a queue, packs counted once; undefined when it has no queue for them. */
  async count(queue: string): Promise<number | undefined> {
    return (await this.options.broker.depth(this.#name(queue)))?.messages;
  }

  /**
   * Calls `visit` for each letter of a queue, one after the other, until that resolves to false. What it does not replay or
   * discard stays as it was.
   * @returns how many were seen.
   */
  async walk(queue: string, visit: (taken: TakenLetter) => Promise<unknown>): Promise<number> {
    const { broker, clock } = this.options;
    const there = await this.count(queue);
    if (there === undefined) return 0;
    const waiting: Delivery[] = [];
    /** Ids of jobs, and of messages, that are not met again. */
    const acted = new Set<string>();
    let wake: () => void = () => undefined;
    const channel = {
      queues: [{ name: this.#name(queue), prefetch: mostOfChannel }],
      onDelivery(delivery: Delivery) {
        waiting.push(delivery);
        wake();
      },
    };
    const count = Math.max(1, Math.ceil(there / mostOfChannel));
    const channels = await Promise.all(Array.from({ length: count }, () => broker.consume(channel)));
    let seen = 0;
    let came = 0;
    try {
      for (;;) {
        const delivery = waiting.shift();
        if (!delivery) {
          const more = new AbortController();
          wake = () => more.abort();
          await pause(clock, came < there ? silenceMs : lastLookMs, more.signal);
          if (!more.signal.aborted) break;
          continue;
        }
        const isNew = ({ properties }: Delivery) => !acted.has(properties.messageId ?? '');
        if (!isNew(delivery)) continue;
        came++;
        const pack = packOf(delivery);
        let goOn: unknown;
        for (const letter of pack ? pack.jobs.filter(isNew) : [delivery]) {
          seen++;
          const { id } = readDeadLetter(letter, queue);
          goOn = await visit(this.#taken(queue, letter, () => acted.add(id)));
          if (goOn === false) break;
        }
        if (pack) await this.#keepRest(queue, pack, (id) => acted.add(id));
        if (goOn === false) break;
      }
    } finally {
      await Promise.all(channels.map((each) => each.close()));
    }
    return seen;
  }

  #taken(queue: string, delivery: Delivery, onActed: () => void): TakenLetter {
    const letter = readDeadLetter(delivery, queue);
    const { body, properties } = delivery;
    return {
      letter,
      body,
      properties,
      replay: async (payload, recorded) => {
        await this.#send(letter, payload ?? body, replayProperties(delivery));
        onActed();
        this.#tell(letter, recorded);
        delivery.ack();
      },
      discard: () => delivery.ack(),
    };
  }

  /** A pack of which some jobs were acted on lives on as one of the others. @param onKept gets the id of its message. */
  async #keepRest(queue: string, pack: Pack, onKept: (id: string) => void): Promise<void> {
    const { message, jobs, left } = pack;
    if (left === 0 || left === jobs.length) return;
    const { broker, clock } = this.options;
    const { reason, deadAt } = readDeadLetter(message, queue);
    const rest = jobs.filter(({ settled }) => !settled);
    const changes = { [header.deadReason]: reason, ...(deadAt !== undefined && { [header.deadAt]: deadAt }) };
    const { body, properties } = pack.part(rest, changes, clock.now());
    onKept(properties.messageId);
    await broker.publish({ exchange: '', routingKey: this.#name(queue), body, properties });
    rest.forEach((job) => job.ack());
  }

  /** As it was sent at first; straight to its queue where no binding brings it there any more. */
  async #send({ queue, contract, priority }: DeadLetter, body: Buffer, properties: MessageProperties) {
    const { broker, prefix } = this.options;
    const exchange = jobsExchange(prefix);
    const ways = [
      ...(contract !== '' && priority > 0 ? [{ exchange, routingKey: `${contract}.p${priority}` }] : []),
      ...(contract !== '' ? [{ exchange, routingKey: contract }] : []),
      { exchange: '', routingKey: `${prefix}.${queue}` },
    ];
    for (const [i, way] of ways.entries()) {
      try {
        return await broker.publish({ ...way, body, properties });
      } catch (error) {
        const returned = error instanceof PublishError && error.code === 'JR_PUBLISH_RETURNED';
        if (!returned || i === ways.length - 1) throw error;
      }
    }
  }

  #tell({ id, contract, queue, replays }: DeadLetter, recorded: string | undefined): void {
    const { events, by, clock } = this.options;
    const about = { job: id, contract, queue, at: clock.now(), replays: replays + 1, by };
    events?.tell({ kind: 'replayed', ...about }, recorded);
  }

  #name(queue: string): string {
    return deadQueue(this.options.prefix, { name: queue });
  }
}

/** The jobs of a message that is a pack; undefined where it is none, or none that can be read. */
function packOf(message: Delivery): Pack | undefined {
  if (!isPack(message.properties)) return undefined;
  try {
    return new Pack(message);
  } catch {
    return undefined;
  }
}
