import type { ChannelModel } from 'amqplib';
import type { Clock } from '../../base/clock.js';

/** A peer sends at least every half of the heartbeat interval; looks are this part of the interval apart. */
const looksPerHeartbeat = 4;

/**
 * Whether the broker has been heard on a connection lately. A peer that has gone without a goodbye is given up only after
 * two silent heartbeat intervals; this tells after one.
 */
export class Pulse {
  readonly #heartbeatMs: number;
  readonly #socket: { readonly bytesRead: number };
  readonly #looking: NodeJS.Timeout | undefined;
  #read = -1;
  #heardAt = 0;

  constructor(
    model: ChannelModel,
    private readonly clock: Clock,
  ) {
    const { heartbeat, stream } = model.connection as unknown as {
      /** Seconds, as both sides have agreed; 0 is none. */
      heartbeat: number;
      stream: { readonly bytesRead: number };
    };
    this.#socket = stream;
    this.#heartbeatMs = heartbeat * 1_000;
    this.#look();
    if (heartbeat === 0) return;
    this.#looking = setInterval(() => this.#look(), this.#heartbeatMs / looksPerHeartbeat);
    this.#looking.unref();
    model.once('close', () => clearInterval(this.#looking));
  }

  /** False when nothing came within a heartbeat interval. Always true where heartbeats are off. */
  get fresh(): boolean {
    if (this.#looking === undefined) return true;
    this.#look();
    return this.clock.now() - this.#heardAt <= this.#heartbeatMs;
  }

  #look(): void {
    const { bytesRead } = this.#socket;
    if (bytesRead === this.#read) return;
    this.#read = bytesRead;
    this.#heardAt = this.clock.now();
  }
}
