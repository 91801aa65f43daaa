import { type Clock, pause } from '../base/clock.js';
import { BrokerError, toError } from '../base/errors.js';
import { redactError } from '../base/redact.js';
import { copyProperties, header } from '../model/envelope.js';
import type { JobLog } from '../model/job-context.js';
import type { MessageProperties } from '../model/message.js';
import type { Broker, Delivery } from '../ports/broker.js';
import type { HeldJob } from './held-job.js';
import { failedDeliveries, type Intake, type Refusal } from './intake.js';
import { attemptKey } from './settled-memory.js';
import type { Solo } from './solo.js';

export interface SuspectsOptions {
  broker: Broker;
  /** RabbitMQ queue of the suspects. */
  queue: string;
  intake: Intake;
  solo: Solo;
  log: JobLog;
  clock: Clock;
  /** Nothing is to be started. */
  paused: () => boolean;
  /** Deals with a job that this process runs or has settled already; false when it knows nothing of it. */
  known: (job: HeldJob) => boolean;
  /** Runs a job and settles it. */
  run: (job: HeldJob) => Promise<void>;
  /** Puts a job among the suspects again, with what is known against it. */
  putBack: (job: HeldJob) => Promise<unknown>;
  /** Puts what is no job among the dead letters. */
  refuse: (delivery: Delivery, refusal: Refusal) => Promise<unknown>;
  /** Puts a job among the dead letters. */
  condemn: (job: HeldJob, error: Error) => Promise<unknown>;
}

/** Deliveries that came to nothing before a job is suspected. Classic queues cannot count, so there one is enough. */
export const suspectAfter = { quorum: 2, classic: 1 } as const;

/** A job that was in hand at so many crashes, the last time alone, is a dead letter. */
const mostCrashes = 3;
const pollMs = 5_000;

/** A suspect that came back is left lying for this long: a process that lost only its connection takes it up again. */
const lyingMs = 3_000;

/** How often a process looks for the suspect that it still runs and whose delivery it has lost. */
const claimMs = 500;

/**
 * Jobs that may be what kills their process.
 *
 * When a process dies, the broker counts a failed delivery for every message it held, guilty or not. A job with two of
 * them is moved to the suspects of its queue. Suspects are taken one at a time, and only while nothing else runs in the
 * process: if that dies, it was this job, and the next worker to see it makes it a dead letter. The innocent simply
 * complete, only later and one after another.
 *
 * The broker counts a lost connection like a crash. A process that survived one while it tried a suspect claims that
 * suspect back, and nobody condemns one that came back without having left it lying for a while.
 */
export class Suspects {
  #stopped = false;
  #sweeping: Promise<void> | undefined;
  #poll: NodeJS.Timeout | undefined;
  /** Suspects that came back from a trial, and when this process first saw that. */
  readonly #lying = new Map<string, number>();
  /** Jobs that this process is moving here. */
  readonly #arriving = new Set<Promise<unknown>>();

  constructor(private readonly options: SuspectsOptions) {}

  /** Looks for suspects now and from time to time: those of other processes are anybody's to try. */
  start(): void {
    this.#poll = setInterval(() => this.look(), pollMs);
    this.#poll.unref();
    this.look();
  }

  /** Looks for a job once it has been moved here; nothing is tried before, or the ack of the original could die with the process. */
  async expect(moved: Promise<unknown>): Promise<void> {
    this.#arriving.add(moved);
    await moved;
    this.#arriving.delete(moved);
    this.look();
  }

  /** Looks for suspects now. */
  look(): void {
    if (this.#stopped || this.options.paused()) return;
    this.#sweeping ??= this.#sweep()
      .catch((error: unknown) =>
        this.options.log.warn({ err: redactError(toError(error)) }, 'suspects could not be read'),
      )
      .finally(() => (this.#sweeping = undefined));
  }

  /** Ends after the suspect that is being tried. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#poll);
    await this.#sweeping;
  }

  /** Until the queue is empty, or all that is left there has been seen and left lying. */
  async #sweep(): Promise<void> {
    const { broker, queue, solo, clock, paused } = this.options;
    const left = new Set<string>();
    let more = true;
    const over = () => this.#stopped || paused();
    while (more && !over() && (await broker.depth(queue))?.messages) {
      await solo.alone(async () => {
        const delivery = over() ? undefined : await broker.get(queue);
        more = delivery !== undefined && (await this.#take(delivery, left));
      });
    }
    if (left.size > 0) clock.setTimer(lyingMs, () => this.look(), true);
    else this.#lying.clear();
  }

  /** Tries a suspect or judges it; false when it was put back before, so the sweep has come round. */
  async #take(delivery: Delivery, left: Set<string>): Promise<boolean> {
    const { intake, clock, known, putBack, refuse } = this.options;
    const job = intake.read(delivery, clock.now());
    if ('refused' in job) {
      await refuse(delivery, job);
    } else if (!known(job)) {
      if (failedDeliveries(delivery) < mostCrashes) {
        await this.#try(job);
      } else if (this.#hasLain(job)) {
        await this.#condemn(job);
      } else {
        const key = attemptKey(job.envelope);
        const cameRound = left.has(key);
        left.add(key);
        await putBack(job);
        return !cameRound;
      }
    }
    return true;
  }

  async #try(job: HeldJob): Promise<void> {
    this.options.log.warn(subject(job), 'job is tried alone: it was in hand when processes died');
    const over = new AbortController();
    void this.#claim(job, over.signal);
    await this.#allArrived();
    await this.options.run(job);
    over.abort();
  }

  /**
   * Nothing is being moved here, and the broker has the acks: one that dies with this process brings its job back a second
   * time, the suspect itself included.
   */
  async #allArrived(): Promise<void> {
    while (this.#arriving.size > 0) await Promise.all(this.#arriving);
    await this.options.broker.settled();
  }

  /** Whether this process has seen long enough that nobody takes the suspect up again. */
  #hasLain(job: HeldJob): boolean {
    const now = this.options.clock.now();
    const key = attemptKey(job.envelope);
    const since = this.#lying.get(key) ?? now;
    this.#lying.set(key, since);
    return now - since >= lyingMs;
  }

  async #condemn(job: HeldJob): Promise<void> {
    const { log, condemn } = this.options;
    const crashes = failedDeliveries(job.delivery);
    this.#lying.delete(attemptKey(job.envelope));
    log.error(subject(job), 'job is dead: its process did not survive it');
    await condemn(
      job,
      new Error(`its process died ${crashes} times while it had the job, the last time alone`),
    );
  }

  /** Takes a suspect up again whose delivery was lost while it runs here. */
  async #claim(job: HeldJob, over: AbortSignal): Promise<void> {
    const { broker, queue, intake, clock, putBack, known } = this.options;
    for (;;) {
      await pause(clock, claimMs, over);
      if (over.aborted) return;
      if (!job.delivery.stale) continue;
      let delivery;
      try {
        delivery = await broker.get(queue);
      } catch (error) {
        if (error instanceof BrokerError && error.code === 'JR_BROKER_CLOSED') return;
        continue; // there is no connection yet
      }
      if (!delivery) continue;
      const found = intake.read(delivery, clock.now());
      if ('refused' in found) delivery.requeue();
      else if (!known(found)) await putBack(found);
    }
  }
}

function subject({ envelope, delivery }: HeldJob) {
  return { job: envelope.id, contract: envelope.contract, crashes: failedDeliveries(delivery) };
}

/** Properties of the copy that goes to the suspects: nobody is condemned who has not been tried alone. */
export function suspectProperties(job: HeldJob): MessageProperties {
  return countedProperties(job, Math.min(failedDeliveries(job.delivery), mostCrashes - 1));
}

/** Properties of a copy that keeps the count of failed deliveries. */
export function countedProperties(
  { delivery, envelope, priority }: HeldJob,
  count = failedDeliveries(delivery),
): MessageProperties {
  return { ...copyProperties(delivery, envelope, { [header.deliveries]: count }), priority };
}
