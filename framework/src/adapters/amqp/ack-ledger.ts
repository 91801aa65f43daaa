import type { Clock, Timer } from '../../base/clock.js';

/** What the ledger sends on its channel. */
export interface AckSender {
  ack(tag: number, multiple: boolean): void;
  nack(tag: number, requeue: boolean): void;
}

/** Beyond all consumers: a tag that nobody here was given, and one whose settlement was sent. */
const unknown = 2 ** 29;
const gone = unknown + 1;

/** An ack that waits for an older delivery to be settled goes out by itself after this. */
const aheadWaitMs = 5;

/**
 * The deliveries of one channel that are not settled, oldest first, and their acks.
 *
 * Acks of a tick leave together: one `multiple` ack covers the unbroken run of settled deliveries at the oldest end,
 * which is worth half as much throughput again. A `multiple` ack settles everything below its tag, so only that run
 * may go so; deliveries settled ahead of an older, unfinished one wait a few milliseconds for it, then are acked one
 * by one. When the channel is gone the ledger is closed and sends nothing: the tags mean nothing on another channel.
 */
export class AckLedger {
  /**
   * What became of each delivery, from the oldest that is not settled: the tags of a channel count up without a gap. The
   * number of the consumer of one that is outstanding; the complement of that when it is settled; `gone` when the broker knows it.
   */
  #states: number[] = [];
  /** Where the oldest stands, and its tag. */
  #head = 0;
  #headTag = 1;
  #size = 0;
  /** Settled, and not sent. */
  #ahead = 0;
  #flush: NodeJS.Immediate | undefined;
  #straggle: Timer | undefined;
  #closed = false;
  #held = false;
  /** So many that are settled are acked without waiting for others. */
  enough = 1;

  constructor(
    private readonly sender: AckSender,
    private readonly clock: Clock,
  ) {}

  get closed(): boolean {
    return this.#closed;
  }

  /** Deliveries that the broker does not know to be settled. */
  get size(): number {
    return this.#size;
  }

  /** Deliveries to a consumer that the broker does not know to be settled. */
  unacked(consumer: number): number {
    let count = 0;
    for (let at = this.#head; at < this.#states.length; at++) {
      const state = this.#states[at]!;
      if (state === consumer || state === ~consumer) count++;
    }
    return count;
  }

  delivered(tag: number, consumer = 0): void {
    // A tag that was passed over belongs to nobody here; it stays outstanding, so no `multiple` ack goes over it.
    while (this.#headTag + this.#states.length - this.#head < tag) this.#states.push(unknown);
    this.#states.push(consumer);
    this.#size++;
  }

  ack(tag: number): void {
    const at = this.#outstanding(tag);
    if (at < 0) return;
    this.#states[at] = ~this.#states[at]!;
    this.#ahead++;
    this.#schedule();
  }

  nack(tag: number, requeue: boolean): void {
    const at = this.#outstanding(tag);
    if (at < 0) return;
    this.#states[at] = gone;
    this.#size--;
    this.sender.nack(tag, requeue);
    this.#schedule();
  }

  /** Keeps acks until `release`. What is given back goes at once. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.flush();
  }

  /** Sends the ack of the settled run now. */
  flush(): void {
    if (this.#closed || this.#held) return;
    let run = 0;
    let count = 0;
    for (; this.#head < this.#states.length; this.#head++, this.#headTag++) {
      const state = this.#states[this.#head]!;
      if (state >= 0 && state !== gone) break;
      if (state === gone) continue;
      run = this.#headTag;
      count++;
    }
    if (count > 0) this.sender.ack(run, count > 1);
    this.#ahead -= count;
    this.#size -= count;
    this.#compact();
    if (this.#ahead > 0) this.#straggle ??= this.clock.setTimer(aheadWaitMs, this.#sendAhead, true);
  }

  /** Sends the acks of everything settled now; false while they are held. */
  sendAll(): boolean {
    this.flush();
    this.#sendAhead();
    return !this.#held;
  }

  /** Sends everything settled and forgets the channel. */
  close(): void {
    this.#held = false;
    this.sendAll();
    this.abandon();
  }

  /** The channel is gone: nothing is sent any more. */
  abandon(): void {
    this.#closed = true;
    clearImmediate(this.#flush);
    this.#straggle?.cancel();
    this.#states = [];
    this.#ahead = 0;
    this.#size = 0;
  }

  /** Where an outstanding delivery stands; -1 when it is settled, or nothing is known of it. */
  #outstanding(tag: number): number {
    const at = this.#head + tag - this.#headTag;
    if (this.#closed || at < this.#head || at >= this.#states.length) return -1;
    const state = this.#states[at]!;
    return state >= 0 && state < unknown ? at : -1;
  }

  /**
   * At the end of the turn of the event loop; at the end of the tick when so much is settled that the broker may soon have
   * no room to send. An ack costs a quorum queue the same whether it is of one or of a hundred, and acks of small runs
   * bring small runs.
   */
  #schedule(): void {
    this.#flush ??= setImmediate(this.#endOfTurn);
    if (this.#ahead === this.enough) process.nextTick(this.#endOfTurn);
  }

  readonly #endOfTurn = (): void => {
    clearImmediate(this.#flush);
    this.#flush = undefined;
    this.flush();
  };

  #compact(): void {
    if (this.#head === this.#states.length) {
      this.#states.length = 0;
      this.#head = 0;
    } else if (this.#head > 4_096 && this.#head * 2 > this.#states.length) {
      this.#states = this.#states.slice(this.#head);
      this.#head = 0;
    }
  }

  readonly #sendAhead = (): void => {
    this.#straggle?.cancel();
    this.#straggle = undefined;
    if (this.#closed || this.#held || this.#ahead === 0) return;
    for (let at = this.#head; at < this.#states.length; at++) {
      if (this.#states[at]! >= 0) continue;
      this.#states[at] = gone;
      this.#size--;
      this.sender.ack(this.#headTag + at - this.#head, false);
    }
    this.#ahead = 0;
  };
}
