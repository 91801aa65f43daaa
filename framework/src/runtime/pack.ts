import { uuidv7 } from '../base/uuidv7.js';
import { copyUnread } from '../model/envelope.js';
import { type PackedJob, readPack, writePack } from '../model/pack.js';
import type { MessageHeaders, MessageProperties } from '../model/message.js';
import type { Delivery } from '../ports/broker.js';

/**
 * A pack in hand: a message taken apart into a delivery for each of its jobs, which know nothing of each other. It is
 * settled when the last of them is.
 *
 *   in hand ──all acked──▶ acked
 *      └──jobs given back (`giveBack`)──▶ of all: requeued as it is; of some: these go into a message of their own, and
 *         are settled here when that is confirmed
 */
export class Pack {
  readonly jobs: readonly PackedDelivery[];
  #left: number;
  /** What ends the message. One job that cannot be acked decides for all: nothing is lost, though some may run again. */
  #end: 'ack' | 'requeue' | 'reject' = 'ack';
  #back: PackedDelivery[] | undefined;
  #givenBack: Promise<void> | undefined;

  /**
   * @param onSettled the message was settled.
   * @throws ContractError (`JR_MESSAGE_UNREADABLE`)
   */
  constructor(
    readonly message: Delivery,
    private readonly onSettled: (pack: Pack) => void = () => undefined,
  ) {
    if (message.unreadable) throw message.unreadable;
    this.jobs = readPack(message.body).map((job) => new PackedDelivery(this, job));
    this.#left = this.jobs.length;
  }

  /** Jobs that are not settled. */
  get left(): number {
    return this.#left;
  }

  /** Some of its jobs as a message of their own. @param changes of its headers. */
  part(jobs: readonly PackedDelivery[], changes: MessageHeaders, now: number) {
    const properties = { ...copyUnread(this.message, changes), messageId: uuidv7(now) };
    return { body: writePack(jobs), properties };
  }

  /** Of one of its jobs, once. */
  settled(how: 'ack' | 'requeue' | 'reject'): void {
    if (how !== 'ack') this.#end = how;
    if (--this.#left > 0) return;
    this.message[this.#end]();
    this.onSettled(this);
  }

  /**
   * Gives a job back, with all others that are given back in this turn of the event loop; resolves when that is done.
   * @param requeue when it is all jobs of the message, it may be requeued as it is.
   * @param send sends some in a message of their own and settles the first; resolves to false when this pack is void.
   */
  giveBack(
    job: PackedDelivery,
    requeue: boolean,
    send: (some: readonly PackedDelivery[]) => Promise<boolean>,
  ): Promise<void> {
    if (!this.#back || !this.#givenBack) {
      this.#back = [];
      this.#givenBack = new Promise<void>((resolve) => setImmediate(resolve)).then(async () => {
        const back = this.#back ?? [];
        this.#back = undefined;
        if (requeue && back.length === this.jobs.length) back.forEach((one) => one.requeue());
        else if (await send(back)) back.slice(1).forEach((one) => one.ack());
      });
    }
    this.#back.push(job);
    return this.#givenBack;
  }
}

/** One job of a pack, as if it had come in a message of its own. */
export class PackedDelivery implements Delivery {
  readonly body: Buffer;
  readonly properties: MessageProperties;
  #settled = false;

  constructor(
    readonly pack: Pack,
    { id, body }: PackedJob,
  ) {
    this.body = body;
    const { properties } = pack.message;
    const { correlationId = id, contentType, timestamp, priority, type, appId, headers } = properties;
    this.properties = { messageId: id, correlationId, contentType, timestamp, priority, type, appId, headers }; // prettier-ignore
  }

  get id(): string {
    return this.properties.messageId!;
  }

  get queue(): string {
    return this.pack.message.queue;
  }

  get exchange(): string {
    return this.pack.message.exchange;
  }

  get routingKey(): string {
    return this.pack.message.routingKey;
  }

  get redelivered(): boolean {
    return this.pack.message.redelivered;
  }

  get stale(): boolean {
    return this.pack.message.stale;
  }

  get settled(): boolean {
    return this.#settled;
  }

  ack(): void {
    this.#settle('ack');
  }

  requeue(): void {
    this.#settle('requeue');
  }

  reject(): void {
    this.#settle('reject');
  }

  #settle(how: 'ack' | 'requeue' | 'reject'): void {
    if (this.#settled) return;
    this.#settled = true;
    this.pack.settled(how);
  }
}
