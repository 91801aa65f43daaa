/**
 * What was sent on a confirm channel and is not confirmed, oldest first. The tags of a channel count up from 1 without a
 * gap, so a line with a moving start holds them, and a confirm of many at once is a walk along it.
 */
export class ConfirmLedger<T> {
  #items: (T | undefined)[] = [];
  /** Where the oldest that is not confirmed stands, and its tag. */
  #head = 0;
  #headTag = 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The next that was sent; returns its tag. */
  add(item: T): number {
    this.#size++;
    return this.#headTag + this.#items.push(item) - this.#head - 1;
  }

  /**
   * A confirm: of one, or with `multiple` of all up to the tag that are not confirmed yet. `each` may add to the ledger.
   * What was confirmed or forgotten before is passed over.
   */
  settle(tag: number, multiple: boolean, each: (item: T) => void): void {
    const last = this.#head + tag - this.#headTag;
    if (last >= this.#items.length) return;
    for (let at = multiple ? this.#head : last; at <= last; at++) this.#take(at, each);
    this.#advance();
  }

  /** It is no longer waited for. */
  forget(tag: number): void {
    this.#take(this.#head + tag - this.#headTag, () => undefined);
    this.#advance();
  }

  /** Oldest first. */
  *[Symbol.iterator](): Generator<T> {
    for (let at = this.#head; at < this.#items.length; at++) {
      const item = this.#items[at];
      if (item !== undefined) yield item;
    }
  }

  /** The channel is gone: returns all that it did not confirm, oldest first. */
  drain(): T[] {
    const rest = [...this];
    this.#headTag += this.#items.length - this.#head;
    this.#items = [];
    this.#head = 0;
    this.#size = 0;
    return rest;
  }

  #take(at: number, each: (item: T) => void): void {
    const item = this.#items[at];
    if (at < this.#head || item === undefined) return;
    this.#items[at] = undefined;
    this.#size--;
    each(item);
  }

  #advance(): void {
    while (this.#head < this.#items.length && this.#items[this.#head] === undefined) {
      this.#head++;
      this.#headTag++;
    }
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head > 4_096 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }
}
