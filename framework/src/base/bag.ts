/** What may lie in a bag. */
export interface Bagged {
  /** Where it lies; the bag's. */
  place?: number | undefined;
}

/**
 * A set in no order, of which each item knows its place. Adding and taking out makes nothing that must be cleared away;
 * a `Set` that many items pass through makes a new table every so often, and each old one keeps all that was in it until
 * the whole heap is searched.
 */
export class Bag<T extends Bagged> implements Iterable<T> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** @param item that is in no bag. */
  add(item: T): void {
    item.place = this.#items.length;
    this.#items.push(item);
  }

  /** Takes an item out, if it is in. */
  delete(item: T): void {
    const { place } = item;
    if (place === undefined) return;
    const last = this.#items.pop()!;
    if (last !== item) {
      this.#items[place] = last;
      last.place = place;
    }
    item.place = undefined;
  }

  /** Items may be taken out meanwhile; some are passed over then. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#items.values();
  }
}
