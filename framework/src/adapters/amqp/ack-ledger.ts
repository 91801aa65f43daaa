import type { Clock, Timer } from '../../base/clock.js';

/** What the ledger sends on its channel. */
export interface AckSender {
  ack(tag: number, multiple: boolean): void;
  nack(tag: number, requeue: boolean): void;
}

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
  /** Tag to the lane it came from, in order of delivery; to the complement of the lane once it is settled. */
  readonly #outstanding = new Map<number, number>();
  #ahead = 0;
  #flush: NodeJS.Immediate | undefined;
  #straggle: Timer | undefined;
  #closed = false;
  #held = false;

  constructor(
    private readonly sender: AckSender,
    private readonly clock: Clock,
  ) {}

  get closed(): boolean {
    return this.#closed;
  }

  /** Deliveries that are neither acked nor given back. */
  get size(): number {
    return this.#outstanding.size;
  }

  /** Deliveries from a lane that the broker does not know to be settled. */
  unacked(lane: number): number {
    let count = 0;
    for (const from of this.#outstanding.values()) if (from === lane || from === ~lane) count++;
    return count;
  }

  delivered(tag: number, lane = 0): void {
    this.#outstanding.set(tag, lane);
  }

  ack(tag: number): void {
    const lane = this.#outstanding.get(tag);
    if (this.#closed || lane === undefined || lane < 0) return;
    this.#outstanding.set(tag, ~lane);
    this.#ahead++;
    this.#flush ??= setImmediate(this.flush);
  }

  nack(tag: number, requeue: boolean): void {
    if (this.#closed || !(this.#outstanding.get(tag)! >= 0)) return;
    this.#outstanding.delete(tag);
    this.sender.nack(tag, requeue);
    this.#flush ??= setImmediate(this.flush);
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
  readonly flush = (): void => {
    clearImmediate(this.#flush);
    this.#flush = undefined;
    if (this.#closed || this.#held) return;
    let run = 0;
    let count = 0;
    for (const [tag, lane] of this.#outstanding) {
      if (lane >= 0) break;
      this.#outstanding.delete(tag);
      run = tag;
      count++;
    }
    if (count > 0) this.sender.ack(run, count > 1);
    this.#ahead -= count;
    if (this.#ahead > 0) this.#straggle ??= this.clock.setTimer(aheadWaitMs, this.#sendAhead, true);
  };

  /** Sends everything settled and forgets the channel. */
  close(): void {
    this.release();
    this.#sendAhead();
    this.abandon();
  }

  /** The channel is gone: nothing is sent any more. */
  abandon(): void {
    this.#closed = true;
    clearImmediate(this.#flush);
    this.#straggle?.cancel();
    this.#outstanding.clear();
    this.#ahead = 0;
  }

  readonly #sendAhead = (): void => {
    this.#straggle?.cancel();
    this.#straggle = undefined;
    if (this.#closed || this.#held || this.#ahead === 0) return;
    for (const [tag, lane] of this.#outstanding) {
      if (lane >= 0) continue;
      this.#outstanding.delete(tag);
      this.sender.ack(tag, false);
    }
    this.#ahead = 0;
  };
}
