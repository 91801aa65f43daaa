import { type ConcurrencyBounds, ConcurrencyControl } from './concurrency-control.js';
import type { Subscription } from '../ports/broker.js';
import { PrefetchControl } from './prefetch-control.js';

/** How busy the process is. */
export interface ProcessLoad {
  /** Milliseconds, from any start. */
  now: number;
  /** How late the event loop is. */
  lagMs: number;
  /** Part of the memory that it may have that is in use, 0 to 1. */
  memory: number;
}

export interface SlotTuningOptions {
  concurrency: ConcurrencyBounds;
  /** Undefined: found by itself. */
  prefetch: number | undefined;
  /** Bytes in hand beyond one job for each slot. */
  prefetchBytes: number;
  /** RabbitMQ queues that have the prefetch each. */
  lanes: readonly string[];
}

/** Deliveries of one lane. */
interface Lane {
  inHand: number;
}

/**
 * How many slots a worker has and how much its consumers may bring, found while it runs.
 *
 * The worker tells what it sees of each job, which must cost next to nothing; several times a second the controls
 * look at it. Where both numbers are given by the user, they stand.
 */
export class SlotTuning {
  /** Attempts that began under the same limit have the same epoch. */
  epoch = 0;
  readonly #options: SlotTuningOptions;
  readonly #slots: ConcurrencyControl;
  readonly #prefetch: PrefetchControl;
  readonly #lanes: Map<string, Lane>;
  #ended = 0;
  #endedOfEpoch = 0;
  #busyMs = 0;
  #allBusyMs = 0;
  #running = 0;
  /** When that became so. */
  #runningSince = 0;
  #slotMs = 0;
  #hungry = 0;
  #early = 0;
  #meanBytes = 0;
  /** Of a message; 0 as long as none came. */
  #meanJobs = 0;
  #roundTripMs: number | undefined;
  #probe: { lane: Lane; at: number; before: number } | undefined;
  #lastLook: number | undefined;
  #resizing = false;
  #resizeAt = 0;
  #restMs = 0;

  constructor(options: SlotTuningOptions) {
    const { concurrency, prefetch, prefetchBytes: mostBytes, lanes } = options;
    this.#options = options;
    this.#slots = new ConcurrencyControl(concurrency);
    const first = prefetch ?? concurrency.from + firstSpare;
    this.#prefetch = new PrefetchControl({ lanes: lanes.length, mostBytes }, first);
    this.#lanes = new Map(lanes.map((name) => [name, { inHand: 0 }]));
  }

  get concurrency(): number {
    return this.#slots.limit;
  }

  get prefetch(): number {
    return this.#prefetch.prefetch;
  }

  /** Whether there is anything to find out. */
  get active(): boolean {
    const { concurrency, prefetch } = this.#options;
    return prefetch === undefined || concurrency.min < concurrency.max;
  }

  /** @param jobs in the message. */
  delivered(queue: string, bytes: number, jobs: number): void {
    const lane = this.#lanes.get(queue);
    if (!lane) return;
    lane.inHand++;
    this.#meanBytes += (bytes - this.#meanBytes) / 50;
    this.#meanJobs += (jobs - this.#meanJobs) / (this.#meanJobs === 0 ? 1 : 50);
    const probe = this.#probe;
    if (probe?.lane === lane && --probe.before < 0) {
      const tookMs = performance.now() - probe.at;
      this.#roundTripMs = Math.min(this.#roundTripMs ?? Infinity, tookMs);
      this.#probe = undefined;
    }
  }

  /** A delivery was settled: the broker may send another. @param since when that could have begun at the earliest. */
  settled(queue: string, since?: number): void {
    const lane = this.#lanes.get(queue);
    if (!lane) return;
    // Those on their way already come before the one that this makes room for.
    const before = this.prefetch - lane.inHand;
    if (this.#probe === undefined && before >= 0)
      this.#probe = { lane, at: since ?? performance.now(), before };
    if (lane.inHand > 0) lane.inHand--;
  }

  /** An attempt got a slot. */
  started(at: number): void {
    this.#countSlots(at);
    this.#running++;
  }

  /** An attempt of an epoch ended, and its slot is free. */
  ended(epoch: number, startedAt: number, at: number): void {
    const ms = at - startedAt;
    this.#countSlots(at);
    this.#running--;
    this.#ended++;
    this.#allBusyMs += ms;
    if (epoch !== this.epoch) return;
    this.#endedOfEpoch++;
    this.#busyMs += ms;
  }

  #countSlots(at: number): void {
    this.#slotMs += this.#running * (at - this.#runningSince);
    this.#runningSince = at;
  }

  /** A slot stands empty because no job is in hand. */
  slotEmpty(): void {
    this.#hungry++;
  }

  /** So many jobs are in hand that are not due yet. */
  early(jobs: number): void {
    if (jobs > this.#early) this.#early = jobs;
  }

  /** What was in hand is gone. */
  forgotten(): void {
    for (const lane of this.#lanes.values()) lane.inHand = 0;
    this.#probe = undefined;
  }

  /** Has the consumers of a subscription have another prefetch. What does not need it keeps its own, and is asked later. */
  resize(subscription: Subscription, prefetch: number): void {
    if (this.#resizing || performance.now() < this.#resizeAt) return;
    this.#resizing = true;
    void subscription.resize(prefetch).then((resized) => {
      this.#resizing = false;
      this.#restMs = resized ? 0 : Math.min(longestRestMs, 2 * this.#restMs || firstRestMs);
      this.#resizeAt = performance.now() + this.#restMs;
      if (resized) this.#prefetch.prefetch = prefetch;
    });
  }

  /**
   * Looks at what happened since the last look; gives the prefetch that the consumers should have instead, if any.
   * @param answerMs the shortest time that the broker took to answer.
   */
  look({ now, lagMs, memory }: ProcessLoad, answerMs: number): number | undefined {
    const sinceMs = now - (this.#lastLook ?? now);
    this.#lastLook = now;
    if (this.#probe && now - this.#probe.at > probeMs) this.#probe = undefined;
    const packed = Math.max(1, this.#meanJobs);
    const meanBytes = this.#meanBytes / packed;
    const { limit } = this.#slots;
    this.#countSlots(now);
    this.#slots.observe({
      now,
      ended: this.#endedOfEpoch,
      busyMs: this.#busyMs,
      allEnded: this.#ended,
      allBusyMs: this.#allBusyMs,
      hungry: this.#hungry,
      slotMs: this.#slotMs,
      lagMs,
      memory,
      most: this.#options.prefetch ?? this.#prefetch.most(meanBytes),
    });
    if (this.#slots.limit !== limit) this.epoch++;
    const better =
      this.#options.prefetch === undefined && sinceMs > 0
        ? this.#prefetch.better({
            now,
            concurrency: this.#slots.limit,
            perMs: this.#ended / sinceMs,
            hungry: this.#hungry / Math.max(1, this.#ended),
            roundTripMs: this.#roundTripMs,
            answerMs,
            early: this.#early,
            meanBytes,
            packed,
          })
        : undefined;
    this.#ended =
      this.#endedOfEpoch =
      this.#busyMs =
      this.#allBusyMs =
      this.#hungry =
      this.#early =
      this.#slotMs =
        0;
    this.#roundTripMs = undefined;
    return better;
  }
}

/** Jobs in hand beyond one for each slot, before anything is known. */
const firstSpare = 2;

/** A prefetch that could not be changed is tried again after this. */
const firstRestMs = 200;
const longestRestMs = 3_000;

/** A delivery that takes longer than this after an ack had to be published first. */
const probeMs = 1_000;
