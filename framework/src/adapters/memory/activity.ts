/**
 * What is under way inside the node. Confirms and deliveries come on a later turn of the event loop, never within the
 * call that caused them, as they would over a network.
 */
export class Activity {
  #underWay = 0;
  #watchers: (() => void)[] = [];

  /** True when nothing is under way: what is left waits for a consumer, an ack or the clock. */
  get idle(): boolean {
    return this.#underWay === 0;
  }

  /** Runs `step` on a later turn. */
  later(step: () => void): void {
    this.#underWay++;
    setImmediate(() => {
      this.#underWay--;
      try {
        step();
      } finally {
        this.touch();
      }
    });
  }

  /** Resolves on a later turn, after all that was under way before. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.later(resolve));
  }

  /** Tells the watchers that something changed. */
  touch(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watcher of watchers) watcher();
  }

  /** Resolves at the next change. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#watchers.push(resolve));
  }
}
