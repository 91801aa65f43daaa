import { type Clock, pause } from '../base/clock.js';
import { toError } from '../base/errors.js';
import type { Contract, Queue } from '../model/contract.js';
import { copyProperties, deadHeaders, type Envelope, extendHistory, header } from '../model/envelope.js';
import type { MessageHeaders } from '../model/message.js';
import type { JobLog } from '../model/job-context.js';
import type { DeadReason, Outcome } from '../model/outcome.js';
import type { Delivery } from '../ports/broker.js';
import type { JobPublisher } from './job-publisher.js';

/** What is to be settled. */
export interface Settling {
  readonly delivery: Delivery;
  readonly envelope: Envelope;
  readonly contract: Contract;
  readonly priority: number;
  /** When the attempt began, milliseconds since 1970. */
  readonly startedAt: number;
  /** Headers that filters want on the copy of a retry or snooze. */
  readonly carry?: MessageHeaders | undefined;
}

export interface SettlerOptions {
  publisher: JobPublisher;
  clock: Clock;
  /** Name of the service, for the history of attempts. */
  service: string;
  log: JobLog;
}

/**
 * Tells the broker how an attempt ended.
 *
 * The rule that nothing is lost by: whatever must be published is confirmed before the original is acked. A crash
 * between the two makes a duplicate, never a loss. A delivery whose channel is gone is not settled at all: the broker
 * has put it back, and it will run again.
 */
export class Settler {
  constructor(private readonly options: SettlerOptions) {}

  async settle(settling: Settling, outcome: Outcome): Promise<void> {
    const { delivery } = settling;
    switch (outcome.kind) {
      case 'completed':
      case 'discard':
      case 'expired':
        return delivery.ack();
      case 'released':
        return delivery.requeue();
      case 'retry':
        return this.#confirmThenAck(delivery, () => this.#publishRetry(settling, outcome));
      case 'snooze':
        return this.#confirmThenAck(delivery, () => this.#publishSnooze(settling, outcome.inMs));
      case 'dead': {
        const { envelope, contract } = settling;
        const history = this.#history(settling, outcome.error);
        return this.bury(delivery, envelope, contract.queue, outcome.reason, outcome.error, history);
      }
    }
  }

  /** Puts a job among the dead letters of its queue; `envelope` is undefined for a message that cannot be read. */
  bury(
    delivery: Delivery,
    envelope: Envelope | undefined,
    queue: Queue,
    reason: DeadReason,
    error: Error,
    history: MessageHeaders = {},
  ): Promise<void> {
    const headers = { ...history, ...deadHeaders(reason, error, this.options.clock.now()) };
    const { properties } = delivery;
    const copied = envelope
      ? copyProperties(delivery, envelope, headers)
      : { ...properties, headers: { ...properties.headers, ...headers } };
    return this.#confirmThenAck(delivery, () => this.options.publisher.bury(queue, delivery.body, copied));
  }

  /** Sends a job back into the delay net because it came much too early. */
  postpone({ delivery, envelope, contract, priority }: Omit<Settling, 'startedAt'>): Promise<void> {
    const to = { contract, priority, dueAt: envelope.dueAt };
    return this.#confirmThenAck(delivery, () =>
      this.options.publisher.copy(to, delivery.body, copyProperties(delivery, envelope, {})),
    );
  }

  #publishRetry(settling: Settling, { inMs, error }: { inMs: number; error: Error }): Promise<void> {
    return this.#publishCopy(settling, inMs, {
      ...this.#history(settling, error),
      [header.attempt]: settling.envelope.attempt + 1,
    });
  }

  #publishSnooze(settling: Settling, inMs: number): Promise<void> {
    return this.#publishCopy(settling, inMs, { [header.attempt]: settling.envelope.attempt });
  }

  #publishCopy(settling: Settling, inMs: number, changes: MessageHeaders): Promise<void> {
    const { delivery, envelope, contract, priority, carry } = settling;
    const dueAt = this.options.clock.now() + inMs;
    const properties = copyProperties(delivery, envelope, { ...changes, ...carry, [header.dueAt]: dueAt });
    return this.options.publisher.copy({ contract, priority, dueAt }, delivery.body, properties);
  }

  #history({ delivery, envelope, startedAt }: Settling, error: Error): MessageHeaders {
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

  /** Publishes until it is confirmed, however long the broker is away, unless the delivery is void meanwhile. */
  async #confirmThenAck(delivery: Delivery, publish: () => Promise<void>): Promise<void> {
    for (let failures = 0; !delivery.stale; failures++) {
      try {
        await publish();
        delivery.ack();
        return;
      } catch (error) {
        this.options.log.warn(
          { err: toError(error), job: delivery.properties.messageId },
          'the outcome of a job could not be published yet; its message is kept',
        );
        await pause(this.options.clock, Math.min(5_000, 100 * 2 ** failures));
      }
    }
  }
}
