import { url as inspectorUrl } from 'node:inspector';
import { Worker as Thread } from 'node:worker_threads';

/** How often the event loop shows that it turns. */
const beatMs = 500;

/**
 * Ends the process when its event loop has stood still for too long: an endless synchronous loop, say. Such a process
 * keeps its jobs, answers no heartbeat and cannot help itself, so a thread beside it does. The broker then has the jobs
 * back, and the one that did it becomes a suspect. Sleeps while a debugger is attached.
 */
export class Watchdog {
  #thread: Thread | undefined;
  #beat: NodeJS.Timeout | undefined;

  constructor(private readonly limitMs: number) {}

  start(): void {
    if (inspectorUrl() !== undefined) return;
    const beats = new Int32Array(new SharedArrayBuffer(4));
    this.#beat = setInterval(() => Atomics.add(beats, 0, 1), beatMs);
    this.#beat.unref();
    this.#thread = new Thread(new URL('./watchdog-thread.js', import.meta.url), {
      workerData: { beats, limitMs: this.limitMs, beatMs },
    });
    this.#thread.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#beat);
    await this.#thread?.terminate();
    this.#thread = undefined;
  }
}
