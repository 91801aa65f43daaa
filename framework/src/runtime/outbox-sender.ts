import type { Outbox, OutboxContract, WaitingJob } from '../adapters/sql/outbox.js';
import { type Clock, pause } from '../base/clock.js';
import { ContractError, toError } from '../base/errors.js';
import { redactError } from '../base/redact.js';
import type { Contract } from '../model/contract.js';
import type { Sending } from '../model/filter.js';
import type { JobLog } from '../model/job-context.js';
import { laneQueue } from '../model/topology.js';
import type { JobPublisher } from './job-publisher.js';

export interface OutboxSenderOptions {
  outbox: Outbox;
  publisher: JobPublisher;
  prefix: string;
  log: JobLog;
  clock: Clock;
  /** How often it looks without being woken. Milliseconds. */
  pollMs: number;
}

const mostAtOnce = 500;

/**
 * Sends what is in the outbox: the jobs of a queue in order, each batch removed once the broker has confirmed all of it. Queues
 * are shared among all senders; one is sent by one of them at a time.
 *
 *   looks ──nothing waits──▶ sleeps ──woken, or after `pollMs`──▶ looks
 *     └──store or broker away──▶ a second later again
 */
export class OutboxSender {
  readonly #stopping = new AbortController();
  #wake: AbortController = new AbortController();
  #running: Promise<void> | undefined;

  constructor(private readonly options: OutboxSenderOptions) {}

  start(): void {
    this.#running ??= this.#run();
  }

  /** There may be something to send. */
  wake(): void {
    this.#wake.abort();
  }

  /** Finishes the batch that is under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log, pollMs } = this.options;
    while (!this.#stopping.signal.aborted) {
      // Whoever wakes it from here on may have come too late for this look.
      this.#wake = new AbortController();
      try {
        if ((await this.#sendAll()) === 0) await pause(clock, pollMs, this.#wake.signal);
      } catch (error) {
        log.warn({ err: redactError(toError(error)) }, 'the outbox cannot be sent; its jobs are kept');
        await pause(clock, 1_000, this.#stopping.signal);
      }
    }
  }

  /** One batch of each queue for which jobs wait; how many there were in all. */
  async #sendAll(): Promise<number> {
    const { outbox } = this.options;
    const queues = await outbox.queues();
    const counts = await Promise.all(
      queues.map((queue) => outbox.take(queue, mostAtOnce, (jobs) => this.#send(jobs))),
    );
    return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  }

  /** @throws when the broker did not confirm them all: they stay, and are sent again. */
  async #send(jobs: readonly WaitingJob[]): Promise<Map<number, string>> {
    const { publisher, prefix, log } = this.options;
    const refused = new Map<number, string>();
    // Their queue exists before the first is sent, so that each goes out in the turn in which it is asked for.
    for (const { contract } of jobs) await publisher.declare(contractOf(contract));
    const sent = jobs.map((job) =>
      publisher.send(sendingOf(job, prefix)).catch((error: unknown) => {
        if (!(error instanceof ContractError)) throw error;
        const details = {
          job: job.properties.messageId,
          contract: job.contract.name,
          err: redactError(error),
        };
        log.error(details, 'a job of the outbox can never be sent; it stays there');
        refused.set(job.place, error.message);
      }),
    );
    const results = await Promise.allSettled(sent);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    return refused;
  }
}

/** The payload was held against its schema when the job was enqueued. */
function contractOf(known: OutboxContract): Contract {
  const validate = (value: unknown) => ({ value });
  return {
    ...known,
    result: undefined,
    payload: { '~standard': { version: 1, vendor: 'jobrail', validate } },
  };
}

function sendingOf(job: WaitingJob, prefix: string): Sending {
  const contract = contractOf(job.contract);
  const { properties, body } = job;
  const routingKey = laneQueue(prefix, contract.queue, properties.priority ?? 0);
  const message = { exchange: '', routingKey, body, properties };
  return { contract, id: properties.messageId ?? '', message, parent: undefined };
}
