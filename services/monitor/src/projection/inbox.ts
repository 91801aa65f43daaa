import type { StreamMessage } from 'jobrail/events';

/** Of one transaction. */
const mostMessages = 40;
const mostBytes = 1024 * 1024;

/** Messages of the stream that wait for a transaction. */
export class Inbox {
  #messages: StreamMessage[] = [];
  #wake: (() => void) | undefined;

  put(message: StreamMessage): void {
    this.#messages.push(message);
    this.#wake?.();
  }

  /** As many as fit one transaction, in order. */
  take(): StreamMessage[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#messages.length && count < mostMessages) {
      bytes += this.#messages[count]!.body.length;
      if (bytes > mostBytes && count > 0) break;
      count++;
    }
    return this.#messages.splice(0, count);
  }

  /** Resolves when there is one, after `ms`, or when `signal` aborts. */
  filled(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.#messages.length > 0 || signal.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
      this.#wake = done;
    });
  }
}
