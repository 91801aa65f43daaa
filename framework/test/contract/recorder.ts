/** How long a test waits for what must come before it fails with what came instead. */
export const patienceMs = 8_000;

/**
 * Collects what happens, so that a test waits for it instead of sleeping. A wait that is in vain fails with what was
 * seen.
 */
export class Recorder<Item> {
  readonly all: Item[] = [];
  #taken = 0;
  #wake: (() => void) | undefined;

  /** @param show an item, as it is shown when a wait is in vain. */
  constructor(
    private readonly what: string,
    private readonly show: (item: Item) => string = String,
  ) {}

  readonly record = (item: Item): void => {
    this.all.push(item);
    this.#wake?.();
  };

  /** Waits for the next `count` items that no `next` has given yet. */
  async next(count = 1): Promise<Item[]> {
    const upTo = this.#taken + count;
    await this.#reaching(upTo);
    this.#taken = upTo;
    return this.all.slice(upTo - count, upTo);
  }

  /** Waits for one. */
  async one(): Promise<Item> {
    const [item] = await this.next(1);
    return item!;
  }

  #reaching(count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#wake = undefined;
        reject(new Error(this.#complaint(count)));
      }, patienceMs);
      this.#wake = () => {
        if (this.all.length < count) return;
        this.#wake = undefined;
        clearTimeout(timer);
        resolve();
      };
      this.#wake();
    });
  }

  #complaint(count: number): string {
    const seen = this.all.slice(-20).map(this.show).join(', ');
    return `waited ${patienceMs} ms for ${count} ${this.what}, saw ${this.all.length}${seen && `: ${seen}`}`;
  }
}

/** Asks until the answer fits; fails with the last answer. */
export async function until<Answer>(
  ask: () => Promise<Answer>,
  fits: (answer: Answer) => boolean,
  withinMs = patienceMs,
): Promise<Answer> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (Date.now() > deadline)
      throw new Error(`after ${withinMs} ms the answer is still ${JSON.stringify(answer)}`);
  }
}
