import type { StreamMessage } from 'jobrail/events';
import { type ReadBatch, readBatch } from '../records/read-batch.js';

/** Of one transaction. */
const mostMessages = 40;
const mostBytes = 1024 * 1024;

/** A message with what was read in it. */
export interface WaitingMessage extends Pick<StreamMessage, 'offset' | 'ack'> {
  bytes: number;
  read: ReadBatch | undefined;
}

/** Messages of the stream that wait for a transaction. They are read as they come, while the store has its turn. */
export class Inbox {
  #messages: WaitingMessage[] = [];
  #wake: (() => void) | undefined;

  put(message: StreamMessage): void {
    const { offset, body } = message;
    this.#messages.push({ offset, bytes: body.length, read: readBatch(body), ack: () => message.ack() });
    this.#wake?.();
  }

  /** As many as fit one transaction, in order. */
  take(): WaitingMessage[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#messages.length && count < mostMessages) {
      bytes += this.#messages[count]!.bytes;
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
