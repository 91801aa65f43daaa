import { Fifo } from '../../base/fifo.js';
import type { QueueArguments } from '../../model/topology.js';
import type { OutgoingMessage } from '../../model/message.js';

/** A message as one queue keeps it. */
export interface StoredMessage {
  /** Shared by all queues that got it: never changed. */
  readonly message: OutgoingMessage;
  /** Order of arrival in the queue. */
  readonly position: number;
  /** When its time to live is over, milliseconds since 1970. */
  readonly expiresAt: number | undefined;
  /** How often it was delivered and came back. */
  returns: number;
}

/**
 * The messages of a queue that wait for delivery. A time to live is looked at only at the head, so a message behind a
 * longer-lived one outlives itself, as on RabbitMQ.
 */
export abstract class ReadyMessages {
  /** What is delivered first comes first; each row is first in, first out. */
  protected abstract readonly rows: readonly Fifo<StoredMessage>[];

  get size(): number {
    return this.rows.reduce((sum, row) => sum + row.size, 0);
  }

  abstract put(stored: StoredMessage): void;
  /** A message that its consumer gave back. */
  abstract requeue(stored: StoredMessage): void;
  /** What a channel that ended had not settled, in order of delivery. */
  abstract giveBack(stored: readonly StoredMessage[]): void;

  take(): StoredMessage | undefined {
    return this.rows.find(({ size }) => size > 0)?.shift();
  }

  /** Takes the heads whose time is over. */
  takeExpired(now: number): StoredMessage[] {
    const expired: StoredMessage[] = [];
    for (let row = this.#expiring(now); row; row = this.#expiring(now)) expired.push(row.shift()!);
    return expired;
  }

  /** When the next head expires. */
  nextExpiry(): number | undefined {
    const times = this.expirable().flatMap((row) => row.peek()?.expiresAt ?? []);
    return times.length > 0 ? Math.min(...times) : undefined;
  }

  /** Rows whose head is a head of the queue. */
  protected abstract expirable(): readonly Fifo<StoredMessage>[];

  #expiring(now: number): Fifo<StoredMessage> | undefined {
    return this.expirable().find((row) => (row.peek()?.expiresAt ?? Infinity) <= now);
  }
}

export function readyMessages(args: QueueArguments): ReadyMessages {
  return args['x-queue-type'] === 'quorum'
    ? new QuorumReady(args['x-delivery-limit'] !== undefined)
    : new ClassicReady(args['x-max-priority'] ?? 0);
}

/**
 * A quorum queue delivers what came back before what is fresh, in the order in which it came back. Without a delivery
 * limit a message given back by its consumer goes to the very end instead.
 */
class QuorumReady extends ReadyMessages {
  readonly #returned = new Fifo<StoredMessage>();
  readonly #fresh = new Fifo<StoredMessage>();
  protected readonly rows = [this.#returned, this.#fresh];

  constructor(private readonly limited: boolean) {
    super();
  }

  put(stored: StoredMessage): void {
    this.#fresh.push(stored);
  }

  requeue(stored: StoredMessage): void {
    (this.limited ? this.#returned : this.#fresh).push(stored);
  }

  giveBack(stored: readonly StoredMessage[]): void {
    for (const each of stored) this.#returned.push(each);
  }

  protected expirable() {
    return this.rows.filter(({ size }) => size > 0).slice(0, 1);
  }
}

/** A classic queue has a row for each priority, the most urgent first; what comes back goes where it was. */
class ClassicReady extends ReadyMessages {
  protected readonly rows: readonly Fifo<StoredMessage>[];

  constructor(private readonly maxPriority: number) {
    super();
    this.rows = Array.from({ length: maxPriority + 1 }, () => new Fifo<StoredMessage>());
  }

  put(stored: StoredMessage): void {
    this.#rowOf(stored).push(stored);
  }

  requeue(stored: StoredMessage): void {
    this.#rowOf(stored).insert(stored, (other) => stored.position < other.position);
  }

  giveBack(stored: readonly StoredMessage[]): void {
    // From the last to the first, so that each goes to the head of its row.
    for (const each of [...stored].sort((a, b) => b.position - a.position)) this.requeue(each);
  }

  protected expirable() {
    return this.rows;
  }

  #rowOf({ message }: StoredMessage): Fifo<StoredMessage> {
    const priority = Math.min(message.properties.priority ?? 0, this.maxPriority);
    return this.rows[this.maxPriority - priority]!;
  }
}
