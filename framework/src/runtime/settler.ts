import { type Clock, pause } from '../base/clock.js';
import { ContractError, toError } from '../base/errors.js';
import { redactError } from '../base/redact.js';
import type { Queue } from '../model/contract.js';
import {
  copyProperties,
  copyUnread,
  deadHeaders,
  type Envelope,
  extendHistory,
  header,
} from '../model/envelope.js';
import type { MessageHeaders, MessageProperties } from '../model/message.js';
import type { JobLog } from '../model/job-context.js';
import { errorFacts } from '../model/error-facts.js';
import type { DeadReason } from '../model/outcome.js';
import { recordedPayload } from '../model/recorded-payload.js';
import type { Delivery } from '../ports/broker.js';
import type { EventSink } from '../ports/event-sink.js';
import type { EndedAttempt, HeldJob } from './held-job.js';
import { failedDeliveries, type Refusal } from './intake.js';
import type { JobPublisher } from './job-publisher.js';
import { outcomeEvent } from './outcome-event.js';
import { PackedDelivery } from './pack.js';
import { countedProperties, suspectAfter, suspectProperties } from './suspects.js';

/** A delivery to settle. If its channel is lost while the job runs, the one that comes instead takes its place. */
interface Settleable {
  readonly delivery: Delivery;
}

export interface SettlerOptions {
  publisher: JobPublisher;
  /** Where outcomes are told; undefined when events are off. */
  events: EventSink | undefined;
  clock: Clock;
  /** Name of the service, for the history of attempts. */
  service: string;
  log: JobLog;
  /** The broker counts what is given back like a failed delivery. */
  countsRequeues: boolean;
}

/**
 * Tells the broker how an attempt ended.
 *
 * The rule that nothing is lost by: whatever must be published is confirmed before the original is acked. A crash
 * between the two makes a duplicate, never a loss. A delivery whose channel is gone is not settled at all: the broker
 * has put it back, and it will run again. The rule that the record does not lie by: the event of the outcome is
 * confirmed before all that.
 */
export class Settler {
  constructor(private readonly options: SettlerOptions) {}

  /**
   * Settles a job and calls `done` with whether that is final: false when the delivery was void before what follows from
   * the outcome was published, or was given back, so that the job will run again. A callback, because a promise for each
   * of thousands of jobs that wait for the confirm of one batch of events costs as much as the rest of settling them.
   */
  settle(job: HeldJob, ended: EndedAttempt, done: (final: boolean) => void): void {
    const { outcome } = ended;
    switch (outcome.kind) {
      case 'completed':
      case 'discard':
      case 'cancelled':
      case 'expired':
        this.#tellThen(job, ended, 0, () => {
          job.delivery.ack();
          done(true);
        });
        break;
      case 'released':
        this.#tellThen(job, ended, 0, () => void this.putBack(job).then(() => done(false)));
        break;
      case 'retry':
      case 'snooze': {
        const nextAt = this.options.clock.now() + outcome.inMs;
        const changes = outcome.kind === 'retry' ? this.#nextAttempt(job, ended, outcome.error) : {};
        const copied = copyProperties(job.delivery, job.envelope, {
          ...changes,
          ...ended.carry,
          [header.dueAt]: nextAt,
        });
        const publish = () => this.#publish(job, nextAt, copied);
        this.#tellThen(job, ended, nextAt, () => void this.#confirmThenAck(job, publish).then(done));
        break;
      }
      case 'dead': {
        const { reason, error } = outcome;
        const { envelope, executor } = job;
        const { queue } = executor.handler.contract;
        const history = this.#history(job, ended, error);
        const bury = () => this.#bury(job, envelope, queue, reason, error, history);
        this.#tellThen(job, ended, 0, () => void bury().then(done));
      }
    }
  }

  /** Puts a job that has not run among the dead letters of its queue. */
  condemn(job: HeldJob, reason: DeadReason, error: Error): Promise<boolean> {
    const ended: EndedAttempt = {
      outcome: { kind: 'dead', reason, error },
      startedAt: this.options.clock.now(),
      begunAt: performance.now(),
      carry: undefined,
      announced: false,
    };
    const { queue } = job.executor.handler.contract;
    return new Promise((resolve) =>
      this.#tellThen(job, ended, 0, () => resolve(this.#bury(job, job.envelope, queue, reason, error))),
    );
  }

  /** Puts a message that is no job, or nobody's, among the dead letters of the queue that it came from. */
  async refuse(delivery: Delivery, { refused, envelope, error }: Refusal, queue: Queue): Promise<boolean> {
    const { events, clock } = this.options;
    const job = envelope?.id ?? delivery.properties.messageId;
    if (events && job !== undefined) {
      const at = clock.now();
      const about = {
        job,
        contract: envelope?.contract ?? '',
        queue: queue.name,
        attempt: 1,
        at,
        startedAt: at,
      };
      const dead = { kind: 'dead', ...about, reason: refused, error: errorFacts(error) } as const;
      await new Promise<void>((resolve) => events.tellOutcome(dead, resolve));
    }
    return this.#bury({ delivery }, envelope, queue, refused, error);
  }

  /** Sends a job back into the delay net because it came much too early. */
  postpone(job: HeldJob): Promise<boolean> {
    const { delivery, envelope } = job;
    const copied = copyProperties(delivery, envelope, {});
    return this.#confirmThenAck(job, () => this.#publish(job, envelope.dueAt, copied));
  }

  /** Sends a job to the suspects of its queue, because it was in hand when processes died. */
  suspect(job: HeldJob): Promise<boolean> {
    const { queue } = job.executor.handler.contract;
    const { body } = job.delivery;
    return this.#confirmThenAck(job, () =>
      this.options.publisher.suspect(queue, body, suspectProperties(job)),
    );
  }

  /**
   * Puts a job back that was not finished, or not begun. Where the broker would count that like a crash, and the job be
   * suspected for it, a copy that keeps the count takes its place, though at the end of its queue.
   */
  async putBack(job: HeldJob): Promise<void> {
    const { publisher, countsRequeues } = this.options;
    const { delivery, envelope, executor } = job;
    const { queue } = executor.handler.contract;
    const failed = failedDeliveries(delivery);
    const most = suspectAfter[queue.type];
    if (failed >= most) {
      await this.#confirmThenAck(job, () => publisher.suspect(queue, delivery.body, countedProperties(job)));
      return;
    }
    const counted = failed + 1 === most && (countsRequeues || queue.type === 'classic');
    if (delivery instanceof PackedDelivery) {
      await delivery.pack.giveBack(delivery, !counted, (some) => this.#repack(job, some, failed));
    } else if (counted) {
      await this.#confirmThenAck(job, () => this.#publish(job, envelope.dueAt, countedProperties(job)));
    } else {
      delivery.requeue();
    }
  }

  /** Sends some jobs of a pack in one of their own, at the end of their queue, with the count of failed deliveries. */
  #repack(job: HeldJob, some: readonly PackedDelivery[], failed: number): Promise<boolean> {
    const counted: MessageHeaders = failed > 0 ? { [header.deliveries]: failed } : {};
    const { body, properties } = some[0]!.pack.part(some, counted, this.options.clock.now());
    const { contract } = job.executor.handler;
    const to = { contract, priority: job.priority, dueAt: job.envelope.dueAt };
    return this.#confirmThenAck({ delivery: some[0]! }, () =>
      this.options.publisher.copy(to, body, properties),
    );
  }

  /** Tells the outcome and goes on when that is confirmed. */
  #tellThen(job: HeldJob, ended: EndedAttempt, nextAt: number, then: () => void): void {
    const { events, clock } = this.options;
    if (!events) {
      then();
      return;
    }
    const { kind } = ended.outcome;
    const payload =
      kind === 'retry' || kind === 'dead'
        ? recordedPayload(job.executor.handler.contract, job.delivery.body)
        : undefined;
    events.tellOutcome(outcomeEvent(job, ended, clock.now(), nextAt), then, payload);
  }

  #bury(
    job: Settleable,
    envelope: Envelope | undefined,
    queue: Queue,
    reason: DeadReason,
    error: Error,
    history: MessageHeaders = {},
  ): Promise<boolean> {
    const { body } = job.delivery;
    const headers = { ...history, ...deadHeaders(reason, error, this.options.clock.now()) };
    const copied = envelope
      ? copyProperties(job.delivery, envelope, headers)
      : copyUnread(job.delivery, headers);
    return this.#confirmThenAck(job, () => this.options.publisher.bury(queue, body, copied));
  }

  #publish(
    { delivery, priority, executor }: HeldJob,
    dueAt: number | undefined,
    properties: MessageProperties,
  ) {
    const { contract } = executor.handler;
    return this.options.publisher.copy({ contract, priority, dueAt }, delivery.body, properties);
  }

  #nextAttempt(job: HeldJob, ended: EndedAttempt, error: Error): MessageHeaders {
    return { ...this.#history(job, ended, error), [header.attempt]: job.envelope.attempt + 1 };
  }

  #history({ delivery, envelope }: HeldJob, { startedAt }: EndedAttempt, error: Error): MessageHeaders {
    const { clock, service } = this.options;
    const record = {
      attempt: envelope.attempt,
      at: startedAt,
      ms: clock.now() - startedAt,
      error: `${error.name}: ${error.message}`,
      service,
    };
    return { [header.attempts]: extendHistory(delivery.properties.headers, record) };
  }

  /**
   * Publishes until it is confirmed, however long the broker is away, then acks. Resolves to false, without publishing
   * again, when the delivery is void meanwhile. A message that cannot be sent at all is left to the broker to make a
   * dead letter of.
   */
  async #confirmThenAck(job: Settleable, publish: () => Promise<void>): Promise<boolean> {
    for (let failures = 0; !job.delivery.stale; failures++) {
      try {
        await publish();
        job.delivery.ack();
        return true;
      } catch (error) {
        const details = { err: redactError(toError(error)), job: job.delivery.properties.messageId };
        if (error instanceof ContractError) {
          this.options.log.error(
            details,
            'the outcome of a job cannot be published; the job is a dead letter',
          );
          job.delivery.reject();
          return true;
        }
        this.options.log.warn(details, 'the outcome of a job is not published yet; its message is kept');
        await pause(this.options.clock, Math.min(5_000, 100 * 2 ** failures));
      }
    }
    return false;
  }
}
