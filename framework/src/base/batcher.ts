import { type Clock, pause } from './clock.js';

export interface BatcherOptions {
  /** Items in one batch at most. Default 500. */
  most?: number;
  /** How long nothing is sent after a batch failed; its items have failed by then. Milliseconds, default 0. */
  restMs?: number;
  clock: Clock;
}

interface Waiting<Item, Answer> {
  item: Item;
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
}

/**
 * Joins what is asked for at about the same time into one round trip. One batch is under way at a time: what comes
 * meanwhile is the next one. So nothing waits when little is asked for, and batches grow when much is.
 */
export class Batcher<Item, Answer> {
  #waiting: Waiting<Item, Answer>[] = [];
  #sending: Promise<void> | undefined;
  readonly #most: number;
  readonly #restMs: number;

  /** @param send answers each item in its place; when it rejects, all of them have failed. */
  constructor(
    private readonly send: (items: Item[]) => Promise<readonly Answer[]>,
    private readonly options: BatcherOptions,
  ) {
    this.#most = options.most ?? 500;
    this.#restMs = options.restMs ?? 0;
  }

  add(item: Item): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#sending ??= this.#sendAll();
    });
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#sending) await this.#sending;
  }

  async #sendAll(): Promise<void> {
    // What others ask for in this turn of the event loop comes along.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#most);
      try {
        const answers = await this.send(batch.map(({ item }) => item));
        batch.forEach(({ resolve }, i) => resolve(answers[i]!));
      } catch (error) {
        for (const { reject } of batch) reject(error);
        if (this.#restMs > 0) await pause(this.options.clock, this.#restMs);
      }
    }
    this.#sending = undefined;
  }
}
