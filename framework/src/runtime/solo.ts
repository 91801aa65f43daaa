/**
 * Lets one job at a time run alone in the process, so that a crash can be blamed on it and on nothing beside it.
 * Jobs enter and leave; while one wants to be alone none enters, and it begins when the last has left.
 */
export class Solo {
  #inside = 0;
  #line: Promise<unknown> = Promise.resolve();
  #wanted = 0;
  #whenEmpty: (() => void) | undefined;
  readonly #onOpen = new Set<() => void>();

  /** Whether a job may start now; each `true` is followed by one `leave`. */
  enter(): boolean {
    if (this.#wanted > 0) return false;
    this.#inside++;
    return true;
  }

  leave(): void {
    this.#inside--;
    if (this.#inside === 0) this.#whenEmpty?.();
  }

  /** Calls `listener` whenever jobs may start again. */
  onOpen(listener: () => void): void {
    this.#onOpen.add(listener);
  }

  /** Runs `work` with nothing beside it. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    this.#wanted++;
    const turn = this.#line.then(() => this.#empty()).then(work);
    this.#line = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#wanted--;
      if (this.#wanted === 0) for (const listener of this.#onOpen) listener();
    }
  }

  async #empty(): Promise<void> {
    if (this.#inside === 0) return;
    await new Promise<void>((resolve) => (this.#whenEmpty = resolve));
    this.#whenEmpty = undefined;
  }
}
