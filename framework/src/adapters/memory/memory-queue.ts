import type { Clock, Timer } from '../../base/clock.js';
import type { OutgoingMessage } from '../../model/message.js';
import type { QueuePlan } from '../../model/topology.js';
import type { Activity } from './activity.js';
import type { DeathReason } from './dead-letter.js';
import { type ReadyMessages, readyMessages, type StoredMessage } from './ready-messages.js';

/** What a queue needs of the node that it lives on. */
export interface QueueHost {
  readonly clock: Clock;
  readonly activity: Activity;
  deadLetter(from: MemoryQueue, message: OutgoingMessage, reason: DeathReason): void;
}

/** Who gets messages from a queue. */
export interface QueueConsumer {
  /** False while it holds as many unacknowledged messages as its prefetch allows. */
  readonly hasRoom: boolean;
  /** Counts the message as held by the consumer; calling what it returns hands it over. */
  accept(stored: StoredMessage): () => void;
  /** The queue was deleted. */
  cancelled(): void;
}

/**
 * A queue: messages that are ready, messages that were handed out and not settled, and its consumers, served in turn.
 *
 *   put ──▶ ready ──handed to a consumer, or got──▶ unacked ──ack──▶ gone
 *             ▲ │                                     │ │
 *             │ └─time to live over──▶ dead letter ◀──┘ │ reject, or back more often than the delivery limit allows
 *             └──────────── requeue, channel ended ─────┘
 */
export class MemoryQueue {
  readonly #ready: ReadyMessages;
  readonly #consumers: QueueConsumer[] = [];
  #arrivals = 0;
  #unacked = 0;
  #deleted = false;
  #dispatching = false;
  #expiry: { at: number; timer: Timer } | undefined;

  constructor(
    readonly plan: QueuePlan,
    private readonly host: QueueHost,
  ) {
    this.#ready = readyMessages(plan.arguments);
  }

  get name(): string {
    return this.plan.name;
  }

  get quorum(): boolean {
    return this.plan.arguments['x-queue-type'] === 'quorum';
  }

  get ready(): number {
    return this.#ready.size;
  }

  /** Handed out and not settled. */
  get unacked(): number {
    return this.#unacked;
  }

  get consumers(): number {
    return this.#consumers.length;
  }

  get deleted(): boolean {
    return this.#deleted;
  }

  put(message: OutgoingMessage): void {
    const expiresAt = this.#expiresAt(message);
    this.#ready.put({ message, position: this.#arrivals++, expiresAt, returns: 0 });
    this.#changed();
  }

  /** Takes the first ready message; it is unacked until it is settled. */
  take(): StoredMessage | undefined {
    this.#expire();
    const stored = this.#ready.take();
    if (stored) this.#unacked++;
    this.#watchExpiry();
    return stored;
  }

  ack(): void {
    this.#unacked--;
    this.#changed();
  }

  requeue(stored: StoredMessage): void {
    this.#unacked--;
    if (this.#mayReturn(stored)) this.#ready.requeue(stored);
    this.#changed();
  }

  reject({ message }: StoredMessage): void {
    this.#unacked--;
    this.host.deadLetter(this, message, 'rejected');
    this.#changed();
  }

  /** Takes back what a channel that ended had not settled, in order of delivery. */
  giveBack(stored: readonly StoredMessage[]): void {
    this.#unacked -= stored.length;
    this.#ready.giveBack(stored.filter((each) => this.#mayReturn(each)));
    this.#changed();
  }

  addConsumer(consumer: QueueConsumer): void {
    this.#consumers.push(consumer);
    this.#changed();
  }

  /** A consumer has room for more, or for less, than before. */
  roomChanged(): void {
    this.#changed();
  }

  removeConsumer(consumer: QueueConsumer): void {
    const at = this.#consumers.indexOf(consumer);
    if (at >= 0) this.#consumers.splice(at, 1);
    this.host.activity.touch();
  }

  delete(): void {
    this.#deleted = true;
    this.#unacked = 0;
    this.#expiry?.timer.cancel();
    for (const consumer of this.#consumers.splice(0)) consumer.cancelled();
  }

  #expiresAt({ properties }: OutgoingMessage): number | undefined {
    const own = properties.expiration === undefined ? Infinity : Number(properties.expiration);
    const ttlMs = Math.min(own, this.plan.arguments['x-message-ttl'] ?? Infinity);
    return ttlMs === Infinity ? undefined : this.host.clock.now() + ttlMs;
  }

  /** Counts a return; one too many makes the message a dead letter. */
  #mayReturn(stored: StoredMessage): boolean {
    const limit = this.plan.arguments['x-delivery-limit'];
    if (++stored.returns <= (limit ?? Infinity)) return true;
    this.host.deadLetter(this, stored.message, 'delivery_limit');
    return false;
  }

  #changed(): void {
    this.#watchExpiry();
    this.#dispatchSoon();
    this.host.activity.touch();
  }

  #dispatchSoon(): void {
    if (this.#dispatching || this.#ready.size === 0 || this.#consumers.length === 0) return;
    this.#dispatching = true;
    this.host.activity.later(() => {
      this.#dispatching = false;
      this.#dispatch();
    });
  }

  /** Fills the consumers up first and hands over then: what they ack meanwhile makes room on a later turn. */
  #dispatch(): void {
    const handovers: (() => void)[] = [];
    for (let consumer = this.#nextWithRoom(); consumer; consumer = this.#nextWithRoom()) {
      const stored = this.take();
      if (!stored) break;
      handovers.push(consumer.accept(stored));
    }
    for (const handOver of handovers) handOver();
  }

  /** The first consumer with room, which then goes to the end of the line. */
  #nextWithRoom(): QueueConsumer | undefined {
    const at = this.#consumers.findIndex(({ hasRoom }) => hasRoom);
    if (at < 0) return undefined;
    const [consumer] = this.#consumers.splice(at, 1);
    this.#consumers.push(consumer!);
    return consumer;
  }

  #expire(): void {
    for (const { message } of this.#ready.takeExpired(this.host.clock.now())) {
      this.host.deadLetter(this, message, 'expired');
    }
  }

  /** Keeps one timer, for the head that expires next. */
  #watchExpiry(): void {
    const at = this.#deleted ? undefined : this.#ready.nextExpiry();
    if (at === this.#expiry?.at) return;
    this.#expiry?.timer.cancel();
    this.#expiry = undefined;
    if (at === undefined) return;
    const onTime = () => {
      this.#expiry = undefined;
      this.#expire();
      this.#changed(); // a timer may be early, or cut short: what has not expired is watched again
    };
    const inMs = Math.max(0, at - this.host.clock.now());
    this.#expiry = { at, timer: this.host.clock.setTimer(inMs, onTime, true) };
  }
}
