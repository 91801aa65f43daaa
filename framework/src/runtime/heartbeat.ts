import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock, Timer } from '../base/clock.js';
import type { HeartbeatEvent } from '../model/event.js';
import type { EventSink } from '../ports/event-sink.js';

/** What only the service knows. */
export type ServiceFacts = Pick<HeartbeatEvent, 'state' | 'version' | 'queues'>;

/** Between two heartbeats of a process. */
const everyMs = 5_000;

/** Tells every five seconds how a worker process does, and once more when it ends. */
export class Heartbeat {
  readonly #startedAt: number;
  readonly #lag: IntervalHistogram = monitorEventLoopDelay({ resolution: 20 });
  #timer: Timer | undefined;

  constructor(
    private readonly events: EventSink,
    private readonly clock: Clock,
    private readonly facts: () => ServiceFacts,
  ) {
    this.#startedAt = clock.now();
  }

  start(): void {
    this.#lag.enable();
    this.#beat();
  }

  /** Tells the end of what was started. */
  stop(): void {
    if (!this.#timer) return;
    this.#timer.cancel();
    this.#timer = undefined;
    this.#tell();
    this.#lag.disable();
  }

  #beat(): void {
    this.#tell();
    this.#timer = this.clock.setTimer(everyMs, () => this.#beat(), true);
  }

  #tell(): void {
    const lagNs = this.#lag.percentile(99);
    this.#lag.reset();
    this.events.tell({
      kind: 'heartbeat',
      at: this.clock.now(),
      startedAt: this.#startedAt,
      ...this.facts(),
      eventLoopLagMs: Number.isFinite(lagNs) ? Math.round(lagNs / 1e5) / 10 : 0,
      rssBytes: process.memoryUsage.rss(),
    });
  }
}
