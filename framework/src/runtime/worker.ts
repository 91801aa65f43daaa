import { v7 as uuidv7 } from 'uuid';
import { type Clock, pause, type Timer } from '../base/clock.js';
import { ContractError, toError } from '../base/errors.js';
import type { Queue } from '../model/contract.js';
import { holdMs } from '../model/delay.js';
import { type Envelope, readEnvelope } from '../model/envelope.js';
import type { JobLog } from '../model/job-context.js';
import { type DeadReason, Shutdown } from '../model/outcome.js';
import { topicMatches } from '../model/topic.js';
import { lanesOf } from '../model/topology.js';
import type { Broker, Delivery, Subscription } from '../ports/broker.js';
import type { Executor, HeldJob } from './executor.js';
import type { Settler } from './settler.js';
import { UrgencyLine } from './urgency-line.js';

export interface WorkerOptions {
  broker: Broker;
  prefix: string;
  queue: Queue;
  executors: readonly Executor[];
  settler: Settler;
  clock: Clock;
  log: JobLog;
  /** Jobs that run at the same time. */
  concurrency: number;
  /** Jobs held of each lane, running ones included. */
  prefetch: number;
  /** Part of the starts that go to the least urgent job in hand, 0 to 1. */
  lowShare: number;
}

/** A job that came this much before it is due goes back into the delay net; one that came less early is held. */
const mostHeldMs = 2 * holdMs;

/**
 * The consumer of one queue inside a service, with its slots.
 *
 * Duties:
 * 1. takes deliveries of all lanes of its queue, up to the prefetch of each;
 * 2. reads each: what is no job, or a job that nobody handles, goes to the dead letters with its reason;
 * 3. holds what is not due yet, by a timer, and gives back to the delay net what came far too early;
 * 4. starts what is in hand in order of urgency, as many at a time as it has slots;
 * 5. when the channel is lost, forgets what it has not started: the broker has it back;
 * 6. stops in two phases: takes nothing new and gives back what it has not started; waits for what runs until the grace
 *    period is over, then tells it to stop. Lose nothing, may run twice.
 */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #executors: Map<string, Executor>;
  readonly #priorityOf: Map<string, number>;
  readonly #line: UrgencyLine<HeldJob>;
  readonly #early = new Map<HeldJob, Timer>();
  #subscription: Subscription | undefined;
  #running = 0;
  /** Messages that are being moved elsewhere without an attempt. */
  #moving = 0;
  #stopping = false;
  #whenIdle: (() => void) | undefined;

  constructor(options: WorkerOptions) {
    const { queue, prefix, executors, lowShare } = options;
    this.#options = options;
    this.#executors = new Map(executors.map((executor) => [executor.handler.contract.name, executor]));
    this.#priorityOf = new Map(lanesOf(prefix, queue).map(({ name, priority }) => [name, priority]));
    this.#line = new UrgencyLine(queue.priorities, lowShare);
  }

  get queue(): string {
    return this.#options.queue.name;
  }

  /** True while all consumers are registered. */
  get ready(): boolean {
    return this.#subscription?.ready ?? false;
  }

  /** Slots in use. */
  get running(): number {
    return this.#running;
  }

  /** Jobs in hand that are not started, those not due included. */
  get held(): number {
    return this.#line.size + this.#early.size;
  }

  async start(): Promise<void> {
    const { broker, prefetch, log } = this.#options;
    this.#subscription = await broker.consume({
      queues: [...this.#priorityOf.keys()].map((name) => ({ name, prefetch })),
      onDelivery: (delivery) => this.#receive(delivery),
      onInterrupted: (error) => {
        log.warn({ queue: this.queue, err: error }, 'consumers lost; they are being restored');
        this.#forget();
      },
      onReady: () => log.info({ queue: this.queue, prefetch }, 'consumers registered'),
    });
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    await this.#subscription?.pause();
    for (const { delivery } of this.#forget()) delivery.requeue();
    await this.#idleWithin(graceMs);
    if (!this.#idle) {
      for (const executor of this.#executors.values()) executor.abortAll(new Shutdown());
      await this.#idleWithin(Math.min(1_000, graceMs));
    }
    for (const executor of this.#executors.values()) executor.stop();
    await this.#subscription?.close();
  }

  #receive(delivery: Delivery): void {
    if (this.#stopping) {
      delivery.requeue();
      return;
    }
    const { clock } = this.#options;
    const now = clock.now();
    let envelope: Envelope | undefined;
    try {
      envelope = readEnvelope(delivery, now, uuidv7);
      const executor = this.#executorOf(delivery, envelope);
      const job = { delivery, envelope, priority: this.#priority(delivery), executor };
      const earlyMs = (envelope.dueAt ?? 0) - now;
      if (earlyMs <= 0) this.#offer(job);
      else this.#hold(job, earlyMs);
    } catch (error) {
      this.#refuse(delivery, envelope, toError(error));
    }
  }

  #executorOf(delivery: Delivery, envelope: Envelope): Executor {
    const executor = this.#executors.get(envelope.contract) ?? this.#foreign(delivery);
    if (executor) {
      envelope.contract = executor.handler.contract.name;
      return executor;
    }
    throw new ContractError(
      'JR_CONTRACT_UNKNOWN',
      `Queue "${this.queue}" has a job of contract "${envelope.contract}", which this service has no handler for.`,
      {
        mend: 'Add its handler to this service, give its contract a queue of its own, or replay it once it is there.',
      },
    );
  }

  /** The handler whose binding brought a message from an exchange that others own. */
  #foreign({ exchange, routingKey }: Delivery): Executor | undefined {
    for (const executor of this.#executors.values()) {
      const { bindings } = executor.handler;
      if (bindings.some((b) => b.exchange === exchange && topicMatches(b.routingKey, routingKey)))
        return executor;
    }
    return undefined;
  }

  #priority(delivery: Delivery): number {
    const { queue } = this.#options;
    return queue.type === 'classic'
      ? Math.min(delivery.properties.priority ?? 0, queue.priorities - 1)
      : this.#priorityOf.get(delivery.queue)!;
  }

  #hold(job: HeldJob, earlyMs: number): void {
    const { clock, settler } = this.#options;
    if (earlyMs > mostHeldMs) {
      this.#move(settler.postpone({ ...job, contract: job.executor.handler.contract }));
      return;
    }
    const timer = clock.setTimer(earlyMs, () => {
      // Timers may fire a fraction of a millisecond early.
      const leftMs = job.envelope.dueAt! - clock.now();
      this.#early.delete(job);
      if (leftMs > 0) this.#hold(job, leftMs);
      else this.#offer(job);
    });
    this.#early.set(job, timer);
  }

  #offer(job: HeldJob): void {
    this.#line.add(job, job.priority);
    this.#fill();
  }

  #fill(): void {
    const { concurrency } = this.#options;
    while (this.#running < concurrency) {
      const job = this.#line.take();
      if (!job) return;
      this.#running++;
      void job.executor.execute(job).then(this.#free);
    }
  }

  readonly #free = (): void => {
    this.#running--;
    if (this.#idle) this.#whenIdle?.();
    if (!this.#stopping) this.#fill();
  };

  #move(moved: Promise<void>): void {
    this.#moving++;
    void moved.then(() => {
      this.#moving--;
      if (this.#idle) this.#whenIdle?.();
    });
  }

  get #idle(): boolean {
    return this.#running === 0 && this.#moving === 0;
  }

  #refuse(delivery: Delivery, envelope: Envelope | undefined, error: Error): void {
    const { settler, queue, log } = this.#options;
    const reason: DeadReason = envelope ? 'unknown-contract' : 'unreadable';
    log.error(
      { queue: queue.name, job: delivery.properties.messageId, reason, err: error },
      'message refused',
    );
    this.#move(settler.bury(delivery, envelope, queue, reason, error));
  }

  /** Lets go of all that is not started. */
  #forget(): HeldJob[] {
    for (const timer of this.#early.values()) timer.cancel();
    const held = [...this.#line.drain(), ...this.#early.keys()];
    this.#early.clear();
    return held;
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
