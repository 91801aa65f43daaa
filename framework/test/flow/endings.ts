/** What a test has to undo, whatever becomes of it. */
export class Endings {
  #endings: (() => Promise<unknown>)[] = [];

  /** Runs `end` after the test; what was begun last ends first. */
  atEnd(end: () => Promise<unknown>): void {
    this.#endings.push(end);
  }

  /** Runs all of them, then fails with what the first that failed threw. */
  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (const end of this.#endings.splice(0).reverse()) {
      await end().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }
}

/** Endings that run after each test of a `describe`. */
export function useEndings(): Endings {
  const endings = new Endings();
  afterEach('end what the test started', () => endings.run());
  return endings;
}
