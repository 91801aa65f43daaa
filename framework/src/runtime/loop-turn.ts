/** So long may jobs be started before the loop must turn. */
const longestMs = 10;

/**
 * Sees to it that the event loop turns while there is work: handlers that never wait would be run one after another
 * without end otherwise, and no heartbeat, ack, or job of another queue would have its turn. Shared by all workers.
 */
export class LoopTurn {
  /** When `over` was asked last. */
  askedAt = 0;
  #since: number | undefined;

  /** Whether jobs have been started for so long that the next should wait for the loop to turn. */
  get over(): boolean {
    const now = (this.askedAt = performance.now());
    if (this.#since === undefined) {
      this.#since = now;
      setImmediate(this.#turned);
    }
    return now - this.#since > longestMs;
  }

  readonly #turned = (): void => {
    this.#since = undefined;
  };
}
