import type { ConcurrencyControl, SlotUse } from '../../../src/runtime/concurrency-control.js';

/** What the attempts of a handler cost, as a worker of one process sees it; there are always jobs waiting. */
export interface SimulatedHandler {
  waitMs: number;
  /** Of the one event loop that all share. */
  cpuMs: number;
  /** What it waits for does only so many at a time. */
  downstream?: number;
}

const lookMs = 100;

/** Runs a control against a handler, a look each 100 ms. */
export class Simulation {
  now = 0;
  #changedAt = 0;

  constructor(
    readonly control: ConcurrencyControl,
    public handler: SimulatedHandler,
    /** What is seen besides; the rest follows from the handler. */
    public also: Partial<SlotUse> = {},
  ) {}

  /** Throughput at the present limit, for each second. */
  get rate(): number {
    return rateAt(this.handler, this.control.limit);
  }

  /** The most that any limit brings. */
  best(max: number): number {
    return Math.max(...Array.from({ length: max }, (_, i) => rateAt(this.handler, i + 1)));
  }

  run(seconds: number): void {
    for (const end = this.now + seconds * 1_000; this.now < end;) this.#look();
  }

  #look(): void {
    this.now += lookMs;
    const { limit } = this.control;
    const { waitMs } = this.handler;
    const perMs = this.rate / 1_000;
    const latencyMs = waitMs === 0 ? this.handler.cpuMs : limit / perMs;
    // What began under the present limit ends a latency later.
    const countedMs = Math.max(0, Math.min(lookMs, this.now - this.#changedAt - latencyMs));
    this.control.observe({
      now: this.now,
      ended: Math.round(perMs * countedMs),
      busyMs: Math.round(perMs * countedMs) * latencyMs,
      allEnded: perMs * lookMs,
      allBusyMs: perMs * lookMs * latencyMs,
      hungry: 0,
      slotMs: perMs * lookMs * latencyMs,
      lagMs: 0,
      memory: 0.2,
      most: Infinity,
      ...this.also,
    });
    if (this.control.limit !== limit) this.#changedAt = this.now;
  }
}

function rateAt({ waitMs, cpuMs, downstream = Infinity }: SimulatedHandler, limit: number): number {
  if (waitMs === 0) return 1_000 / cpuMs;
  const latencyMs = Math.max(waitMs * Math.max(1, limit / downstream) + cpuMs, limit * cpuMs);
  return (1_000 * limit) / latencyMs;
}
