import type { Socket } from 'node:net';

/** What the network is like. */
export interface Weather {
  /** Nothing is forwarded, nothing is closed. */
  stalled: boolean;
  delayMs: number;
  bytesPerSecond: number;
}

/** So much may be under way before the sender is held back, as a socket buffer would. Bytes. */
const mostUnderWay = 256 * 1024;

/** One direction of a connection, through the weather. The end of the sender travels like its bytes. */
export class Pipe {
  readonly #queue: { chunk: Buffer | 'end'; due: number }[] = [];
  #underWay = 0;
  /** When the line is free for the next byte. */
  #freeAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private now: Weather,
  ) {
    from.on('data', (chunk) => this.#take(chunk));
    from.once('close', () => this.#take('end'));
    to.on('drain', () => this.#forward());
  }

  weather(weather: Weather): void {
    this.now = weather;
    this.#forward();
  }

  #take(chunk: Buffer | 'end'): void {
    const { bytesPerSecond, delayMs } = this.now;
    const size = chunk === 'end' ? 0 : chunk.length;
    this.#freeAt = Math.max(Date.now(), this.#freeAt) + (size / bytesPerSecond) * 1_000;
    this.#queue.push({ chunk, due: this.#freeAt + delayMs });
    this.#underWay += size;
    if (this.#underWay > mostUnderWay) this.from.pause();
    this.#forward();
  }

  #forward(): void {
    clearTimeout(this.#timer);
    while (!this.now.stalled && this.#queue.length > 0) {
      const { chunk, due } = this.#queue[0]!;
      const early = due - Date.now();
      if (early > 0) {
        this.#timer = setTimeout(() => this.#forward(), early);
        return;
      }
      this.#queue.shift();
      if (chunk === 'end') {
        this.to.destroy();
        return;
      }
      this.#underWay -= chunk.length;
      if (this.#underWay <= mostUnderWay && this.from.isPaused()) this.from.resume();
      if (!this.to.write(chunk)) return; // goes on at `drain`
    }
  }
}
