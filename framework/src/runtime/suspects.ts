import { toError } from '../base/errors.js';
import { redactError } from '../base/redact.js';
import { copyProperties, header } from '../model/envelope.js';
import type { JobLog } from '../model/job-context.js';
import type { Broker, Delivery } from '../ports/broker.js';
import type { HeldJob } from './held-job.js';
import { failedDeliveries, type Intake, type Refusal } from './intake.js';
import type { Solo } from './solo.js';

export interface SuspectsOptions {
  broker: Broker;
  /** RabbitMQ queue of the suspects. */
  queue: string;
  intake: Intake;
  solo: Solo;
  log: JobLog;
  now: () => number;
  /** Runs a job and settles it. */
  run: (job: HeldJob) => Promise<void>;
  /** Puts a job among the dead letters. */
  bury: (delivery: Delivery, job: HeldJob | Refusal, error?: Error) => Promise<void>;
}

/** Deliveries that came to nothing before a job is suspected. Classic queues cannot count, so there one is enough. */
export const suspectAfter = { quorum: 2, classic: 1 } as const;

/** A job that was in hand at so many crashes, the last time alone, is a dead letter. */
const mostCrashes = 3;
const pollMs = 5_000;

/**
 * Jobs that may be what kills their process.
 *
 * When a process dies, the broker counts a failed delivery for every message it held, guilty or not. A job with two of
 * them is moved to the suspects of its queue. Suspects are taken one at a time, and only while nothing else runs in the
 * process: if that dies, it was this job, and the next worker to see it makes it a dead letter. The innocent simply
 * complete, only later and one after another.
 */
export class Suspects {
  #stopped = false;
  #sweeping: Promise<void> | undefined;
  #poll: NodeJS.Timeout | undefined;

  constructor(private readonly options: SuspectsOptions) {}

  /** Looks for suspects now and from time to time: those of other processes are anybody's to try. */
  start(): void {
    this.#poll = setInterval(() => this.look(), pollMs);
    this.#poll.unref();
    this.look();
  }

  /** Looks for suspects now. */
  look(): void {
    if (this.#stopped) return;
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

  async #sweep(): Promise<void> {
    const { broker, queue, solo } = this.options;
    while (!this.#stopped && (await broker.depth(queue))?.messages) {
      await solo.alone(async () => {
        const delivery = this.#stopped ? undefined : await broker.get(queue);
        if (delivery) await this.#try(delivery);
      });
    }
  }

  async #try(delivery: Delivery): Promise<void> {
    const { intake, now, run, bury, log } = this.options;
    const job = intake.read(delivery, now());
    const crashes = failedDeliveries(delivery);
    if ('refused' in job) return bury(delivery, job);
    const details = { job: job.envelope.id, contract: job.envelope.contract, crashes };
    if (crashes >= mostCrashes) {
      log.error(details, 'job is dead: its process did not survive it');
      return bury(
        delivery,
        job,
        new Error(`its process died ${crashes} times while it had the job, the last time alone`),
      );
    }
    log.warn(details, 'job is tried alone: it was in hand when processes died');
    await run(job);
  }
}

/** Properties of the copy that goes to the suspects. */
export function suspectProperties({ delivery, envelope, priority }: HeldJob) {
  const changes = { [header.deliveries]: failedDeliveries(delivery) };
  return { ...copyProperties(delivery, envelope, changes), priority };
}
