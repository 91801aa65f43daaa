/** Lets a test wait for something to have happened, without looking again and again. */
export class Changes {
  private readonly waiting = new Set<() => void>();

  /** Something happened. */
  tell(): void {
    for (const resolve of this.waiting) resolve();
    this.waiting.clear();
  }

  /** Resolves once `reached` holds; asked now and after each `tell`. */
  async until(reached: () => boolean): Promise<void> {
    while (!reached()) await new Promise<void>((resolve) => this.waiting.add(resolve));
  }
}
