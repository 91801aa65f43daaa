import { getHeapStatistics } from 'node:v8';
import type { ProcessLoad } from './slot-tuning.js';

/** How often the load is read. */
export const lookEveryMs = 100;

/** The memory of the process is asked for every so many looks. */
const looksAMemory = 10;

/** Reads, several times a second, how late the event loop is and how much of the memory is used, and tells it. */
export class LoadGauge {
  #timer: NodeJS.Timeout | undefined;
  #lastLook = 0;
  #looks = 0;
  #memory = 0;

  constructor(private readonly onLook: (load: ProcessLoad) => void) {}

  start(): void {
    this.#lastLook = performance.now();
    this.#timer = setInterval(() => this.#look(), lookEveryMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    const lagMs = Math.max(0, now - this.#lastLook - lookEveryMs);
    this.#lastLook = now;
    if (this.#looks++ % looksAMemory === 0) this.#memory = memoryUse();
    this.onLook({ now, lagMs, memory: this.#memory });
  }
}

/** Of the heap that V8 may take, or of the memory that the container may take, whichever is closer to its end. */
function memoryUse(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  const container = process.constrainedMemory();
  const ofContainer = container > 0 && container < 2 ** 50 ? process.memoryUsage.rss() / container : 0;
  return Math.max(used / limit, ofContainer);
}
