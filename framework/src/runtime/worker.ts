import { type Clock, pause } from '../base/clock.js';
import { redactError } from '../base/redact.js';
import type { QueueGauges } from '../filters/metrics.js';
import type { Queue } from '../model/contract.js';
import type { QueueFacts } from '../model/control.js';
import { holdMs } from '../model/delay.js';
import type { JobLog } from '../model/job-context.js';
import { isPack } from '../model/pack.js';
import { Shutdown } from '../model/outcome.js';
import { lanesOf, suspectsQueue } from '../model/topology.js';
import type { Broker, Delivery, Subscription } from '../ports/broker.js';
import type { ConcurrencyBounds } from './concurrency-control.js';
import type { Executor } from './executor.js';
import type { HeldJob } from './held-job.js';
import { failedDeliveries, Intake, type Refusal } from './intake.js';
import { KnownJobs } from './known-jobs.js';
import type { LoopTurn } from './loop-turn.js';
import { OpenPacks } from './open-packs.js';
import { PackedDelivery } from './pack.js';
import type { Settler } from './settler.js';
import { type ProcessLoad, SlotTuning } from './slot-tuning.js';
import type { Solo } from './solo.js';
import { suspectAfter, Suspects } from './suspects.js';
import { WaitingJobs } from './waiting-jobs.js';

export interface WorkerOptions {
  broker: Broker;
  prefix: string;
  queue: Queue;
  executors: readonly Executor[];
  settler: Settler;
  /** Shared by all workers of the process. */
  solo: Solo;
  /** Shared by all workers of the process. */
  turn: LoopTurn;
  clock: Clock;
  log: JobLog;
  /** Jobs that run at the same time; a number for good, or bounds to find it in. */
  concurrency: ConcurrencyBounds;
  /** Jobs held of each lane, running ones included; undefined: as many as are needed. */
  prefetch: number | undefined;
  /** Bytes of jobs held, beyond one job for each slot, where the prefetch is found. */
  prefetchBytes: number;
  /** Part of the starts that go to the least urgent job in hand, 0 to 1. */
  lowShare: number;
  /** The broker takes a job away that is not acked within this. */
  ackTimeoutMs: number;
}

/** A job that came this much before it is due goes back into the delay net; one that came less early is held. */
const mostHeldMs = 2 * holdMs;

/**
 * The consumer of one queue inside a service, with its slots.
 *
 * Duties:
 * 1. takes deliveries of all lanes of its queue, up to the prefetch of each;
 * 2. sends what is no job, or nobody's job, to the dead letters with its reason (`Intake` reads), and what was in hand
 *    when processes died to the suspects, who are tried alone;
 * 3. holds what is not due yet, by a timer, and gives back to the delay net what came far too early;
 * 4. starts what is in hand in order of urgency, as many at a time as it has slots,
 *    and gives back what has waited for half the time that the broker gives a job;
 * 5. has as many slots and as large a prefetch as serve best, where they are not given (`SlotTuning` finds them);
 * 6. when the channel is lost, forgets what it has not started: the broker has it back. What runs goes on; if the broker
 *    brings it here again, the new delivery is settled with the outcome, and the job does not run twice;
 * 7. while its queue is paused starts nothing, and holds nothing; what runs goes on;
 * 8. stops in two phases: takes nothing new and gives back what it has not started; waits for what runs until the grace
 *    period is over, then tells it to stop. Lose nothing, may run twice.
 */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #intake: Intake;
  readonly #waiting: WaitingJobs;
  readonly #jobs = new KnownJobs();
  readonly #packs: OpenPacks;
  readonly #suspects: Suspects;
  readonly #tuning: SlotTuning;
  #subscription: Subscription | undefined;
  /** Slots in use. */
  #running = 0;
  /** Messages that are being settled, or moved elsewhere without an attempt. */
  #moving = 0;
  #fillsNextTurn = false;
  #filling = false;
  #stopping = false;
  #paused = false;
  /** What the subscription was told last. */
  #told = false;
  #following: Promise<void> | undefined;
  #whenIdle: (() => void) | undefined;

  constructor(options: WorkerOptions) {
    const { queue, prefix, executors, lowShare, broker, solo, log, clock, settler } = options;
    this.#options = options;
    this.#packs = new OpenPacks((message) => this.#tuning.settled(message.queue));
    this.#tuning = new SlotTuning({ ...options, lanes: lanesOf(prefix, queue).map(({ name }) => name) });
    this.#intake = new Intake(queue, prefix, executors);
    this.#waiting = new WaitingJobs({
      clock,
      priorities: queue.priorities,
      lowShare,
      // Behind long jobs one may wait until its ack is overdue, which would cost the channel: it is better off elsewhere.
      mostWaitMs: options.ackTimeoutMs / 2,
      onDue: (job) => this.#offer(job),
      onOverdue: (job) => this.#move(job, settler.putBack(job)),
    });
    this.#suspects = new Suspects({
      broker,
      queue: suspectsQueue(prefix, queue),
      intake: this.#intake,
      solo,
      log,
      clock,
      paused: () => this.#paused,
      known: (job) => this.#known(job),
      run: (job) => new Promise((resolve) => this.#run(job, performance.now(), undefined, resolve)),
      putBack: (job) => settler.putBack(job),
      refuse: (delivery, refusal) => this.#refuse(delivery, refusal),
      condemn: (job, error) => settler.condemn(job, 'crashed', error),
    });
    solo.onOpen(() => this.#fill());
  }

  get queue(): string {
    return this.#options.queue.name;
  }

  get facts(): QueueFacts {
    const { queue, executors } = this.#options;
    const { name, type, priorities } = queue;
    return { name, type, priorities, contracts: executors.map(({ handler }) => handler.contract.name) };
  }

  /** What metrics say of it now. */
  get gauges(): QueueGauges {
    const { queue, concurrency: slots, running: busy, prefetch, held, ready: up } = this;
    return { queue, slots, busy, prefetch, held, up };
  }

  /** True while all consumers are registered and the broker is heard, or the queue is paused. */
  get ready(): boolean {
    return this.#subscription !== undefined && (this.#paused || this.#subscription.ready);
  }

  get paused(): boolean {
    return this.#paused;
  }

  get running(): number {
    return this.#running;
  }

  /** Jobs in hand that are not started, those not due included. */
  get held(): number {
    return this.#waiting.ready + this.#waiting.early;
  }

  /** Slots, and jobs held of each lane at most, as they are now. */
  get concurrency(): number {
    return this.#tuning.concurrency;
  }

  get prefetch(): number {
    return this.#tuning.prefetch;
  }

  /** Looks whether other numbers are better, where they are not given. */
  tune(load: ProcessLoad): void {
    if (!this.#tuning.active || this.#stopping) return;
    const prefetch = this.#tuning.look(load, this.#subscription?.answerMs ?? 0);
    if (prefetch !== undefined && this.#subscription) this.#tuning.resize(this.#subscription, prefetch);
    this.#fill();
  }

  async start(): Promise<void> {
    const { broker, prefix, queue, log } = this.#options;
    const { prefetch } = this.#tuning;
    this.#told = this.#paused;
    this.#subscription = await broker.consume({
      queues: lanesOf(prefix, queue).map(({ name }) => ({ name, prefetch })),
      paused: this.#told,
      onDelivery: (delivery) => this.#receive(delivery),
      onInterrupted: (error) => {
        log.warn({ queue: this.queue, err: redactError(error) }, 'consumers lost; they are being restored');
        this.#waiting.drain();
        this.#packs.interrupted();
        this.#tuning.forgotten();
      },
      onReady: () => {
        log.info({ queue: this.queue, prefetch: this.prefetch }, 'consumers registered');
        this.#suspects.look();
      },
    });
    void this.#follow();
    this.#suspects.start();
  }

  /** Pauses the queue, or resumes it; also before `start`. What runs goes on. */
  setPaused(paused: boolean): void {
    if (this.#paused === paused) return;
    this.#paused = paused;
    this.#options.log.warn({ queue: this.queue }, paused ? 'queue paused' : 'queue resumed');
    void this.#follow();
    if (!paused) this.#fill();
  }

  /** Tells the attempt of a job to stop, if it runs here. */
  cancel(id: string, reason: string | undefined): void {
    for (const executor of this.#options.executors) executor.cancel(id, reason);
  }

  async stop(graceMs: number): Promise<void> {
    const { executors } = this.#options;
    this.#stopping = true;
    const suspectsStopped = this.#suspects.stop();
    await this.#following;
    await this.#subscription?.pause();
    for (const job of this.#waiting.drain()) this.#move(job, this.#options.settler.putBack(job));
    await this.#idleWithin(graceMs);
    if (!this.#idle) {
      for (const executor of executors) executor.abortAll(new Shutdown());
      await this.#idleWithin(Math.min(1_000, graceMs));
    }
    if (this.#idle) await this.#settledWithin(suspectsStopped, Math.min(1_000, graceMs)); // a broker may be away
    for (const executor of executors) executor.stop();
    await this.#subscription?.close();
  }

  /** Brings the consumers to where they should be, one change after the other. */
  #follow(): Promise<void> {
    const subscription = this.#subscription;
    if (!subscription) return Promise.resolve(); // `start` looks again
    if (this.#told === this.#paused) return this.#following ?? Promise.resolve();
    this.#following ??= (async () => {
      while (this.#told !== this.#paused && !this.#stopping) {
        this.#told = this.#paused;
        // What fails is restored by the subscription itself, paused or not as it was told.
        await (this.#told ? subscription.pause() : subscription.resume()).catch(() => undefined);
        // Given back before, it would come again at once.
        if (this.#told)
          for (const job of this.#waiting.drain()) this.#move(job, this.#options.settler.putBack(job));
        else this.#suspects.look();
      }
    })().finally(() => (this.#following = undefined));
    return this.#following;
  }

  #receive(delivery: Delivery): void {
    const pack = isPack(delivery.properties) ? this.#packs.open(delivery) : undefined;
    const jobs = pack && 'jobs' in pack ? pack.jobs.length : 1;
    this.#tuning.delivered(delivery.queue, delivery.body.length, jobs);
    if (!pack) this.#take(delivery);
    else if ('refused' in pack) this.#move({ delivery }, this.#refuse(delivery, pack));
    else for (const job of pack.jobs) if (!job.settled) this.#take(job);
  }

  #take(delivery: Delivery): void {
    const now = this.#options.clock.now();
    const job = this.#intake.read(delivery, now);
    if ('refused' in job) this.#move({ delivery }, this.#refuse(delivery, job));
    else if (delivery.redelivered && this.#known(job)) return;
    else if (job.envelope.dueAt !== undefined && job.envelope.dueAt > now)
      this.#hold(job, job.envelope.dueAt - now);
    else this.#offer(job);
  }

  /** Deals with a delivery of a job that runs here or was settled here; false when it is neither. */
  #known(job: HeldJob): boolean {
    const { id, attempt } = job.envelope;
    const known = this.#jobs.recognize(job);
    if (known === 'runs') {
      this.#options.log.info({ job: id, attempt }, 'job runs here already; it came again and is settled so');
    } else if (known === 'settled') this.#madeRoom(job);
    return known !== undefined;
  }

  #hold(job: HeldJob, earlyMs: number): void {
    if (earlyMs > mostHeldMs) {
      this.#move(job, this.#options.settler.postpone(job));
      return;
    }
    this.#waiting.hold(job, earlyMs);
    this.#tuning.early(this.#waiting.early);
  }

  #offer(job: HeldJob): void {
    const { queue, settler } = this.#options;
    const { delivery } = job;
    if (delivery.redelivered && failedDeliveries(delivery) >= suspectAfter[queue.type]) {
      this.#move(job, this.#suspects.expect(settler.suspect(job)));
      return;
    }
    this.#waiting.add(job);
    this.#fill();
    this.#waiting.watch(job);
  }

  #fill(): void {
    if (this.#filling) return; // a job that ended at once: the loop below goes on
    const { solo, turn } = this.#options;
    this.#filling = true;
    while (
      this.#waiting.ready > 0 &&
      this.#running < this.#tuning.concurrency &&
      !this.#stopping &&
      !this.#paused &&
      solo.enter()
    ) {
      if (turn.over) {
        solo.leave();
        if (!this.#fillsNextTurn) setImmediate(this.#fillAgain);
        this.#fillsNextTurn = true;
        break;
      }
      const job = this.#waiting.take();
      if (job) this.#run(job, turn.askedAt, this.#leave);
      else solo.leave();
    }
    this.#filling = false;
  }

  readonly #fillAgain = (): void => {
    this.#fillsNextTurn = false;
    this.#fill();
  };

  readonly #leave = (): void => {
    this.#options.solo.leave();
    this.#fill();
    if (this.#waiting.ready === 0) this.#tuning.slotEmpty();
  };

  /** Runs a job and settles it. Its slot is free, and `freed` called, when its handler is done. */
  #run(job: HeldJob, now: number, freed?: () => void, settled?: () => void): void {
    const { epoch } = this.#tuning;
    this.#running++;
    this.#tuning.started(now);
    this.#jobs.started(job);
    job.executor.execute(job, (ended) => {
      const endedAt = performance.now();
      this.#running--;
      this.#tuning.ended(epoch, ended.begunAt, endedAt);
      this.#moving++;
      freed?.();
      this.#options.settler.settle(job, ended, (final) => {
        this.#done(job, final, endedAt);
        settled?.();
      });
    });
  }

  #done(job: HeldJob, settled: boolean, endedAt: number): void {
    this.#moving--;
    this.#madeRoom(job, endedAt);
    this.#jobs.ended(job, settled);
    if (this.#idle) this.#whenIdle?.();
  }

  /** A delivery was settled; of a pack, the last tells (`OpenPacks`). */
  #madeRoom({ delivery }: Pick<HeldJob, 'delivery'>, since?: number): void {
    if (!(delivery instanceof PackedDelivery)) this.#tuning.settled(delivery.queue, since);
  }

  #move(job: Pick<HeldJob, 'delivery'>, moved: Promise<unknown>): void {
    this.#moving++;
    void moved.then(() => {
      this.#moving--;
      this.#madeRoom(job);
      if (this.#idle) this.#whenIdle?.();
    });
  }

  #refuse(delivery: Delivery, refusal: Refusal): Promise<unknown> {
    const { settler, queue, log } = this.#options;
    const { refused, error } = refusal;
    const details = { queue: queue.name, job: delivery.properties.messageId, reason: refused };
    log.error({ ...details, err: redactError(error) }, 'message refused');
    return settler.refuse(delivery, refusal, queue);
  }

  get #idle(): boolean {
    return this.#running === 0 && this.#moving === 0;
  }

  /** Resolves when `promise` does, or after `ms`. */
  async #settledWithin(promise: Promise<void>, ms: number): Promise<void> {
    const enough = new AbortController();
    void promise.then(() => enough.abort());
    await pause(this.#options.clock, ms, enough.signal);
  }

  /** Resolves when nothing runs, or after `ms`. */
  async #idleWithin(ms: number): Promise<void> {
    if (this.#idle) return;
    const enough = new AbortController();
    this.#whenIdle = () => enough.abort();
    await pause(this.#options.clock, ms, enough.signal);
    this.#whenIdle = undefined;
  }
}
