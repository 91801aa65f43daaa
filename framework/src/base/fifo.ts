/** A line: first in, first out, without the cost of `Array.shift` on long ones. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Puts an item before the first one, from the head, that it `precedes`; else at the end. */
  insert(item: T, precedes: (other: T) => boolean): void {
    let at = this.#head;
    while (at < this.#items.length && !precedes(this.#items[at]!)) at++;
    if (at === this.#head && at > 0) this.#items[--this.#head] = item;
    else this.#items.splice(at, 0, item);
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head > 1_024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Empties the line and returns what was in it, in order. */
  drain(): T[] {
    const rest = this.#items.slice(this.#head) as T[];
    this.#items = [];
    this.#head = 0;
    return rest;
  }
}
