/**
 * Lets others wait for a condition on something that changes, without asking again and again: its owner calls
 * `tell` after each change.
 */
export class Changes {
  /** @type {Set<() => void>} */
  #listeners = new Set();

  /** @param {() => void} listener */
  on(listener) {
    this.#listeners.add(listener);
  }

  tell() {
    for (const listener of [...this.#listeners]) listener();
  }

  /**
   * Resolves as soon as the condition holds.
   *
   * @param {() => boolean} condition
   * @param {object} options
   * @param {string} options.what For the error: "the mail to ada@example.org".
   * @param {number} [options.withinMs] Default 30 s.
   * @param {AbortSignal} options.signal
   * @returns {Promise<void>}
   * @throws {TooLate}, or the reason of the signal.
   */
  async until(condition, { what, withinMs = 30_000, signal }) {
    /** @type {Promise<boolean>} */
    const late = new Promise((resolve) => {
      const look = () => {
        if (condition() || signal.aborted) end(false);
      };
      const end = (/** @type {boolean} */ tooLate) => {
        this.#listeners.delete(look);
        signal.removeEventListener('abort', look);
        clearTimeout(timer);
        resolve(tooLate);
      };
      const timer = setTimeout(() => end(true), withinMs);
      this.#listeners.add(look);
      signal.addEventListener('abort', look);
      look();
    });
    const tooLate = await late;
    signal.throwIfAborted();
    if (tooLate) throw new TooLate(`${what} did not come within ${withinMs / 1000} s.`);
  }
}

/** Something the demo waited for did not happen. */
export class TooLate extends Error {
  /** @override */
  name = 'TooLate';
}
