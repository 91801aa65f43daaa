import { uuidv7 } from '../base/uuidv7.js';
import { ContractError, describe, toError } from '../base/errors.js';
import type { Queue } from '../model/contract.js';
import { type Envelope, header, readEnvelope } from '../model/envelope.js';
import type { DeadReason } from '../model/outcome.js';
import { topicMatches } from '../model/topic.js';
import { lanesOf } from '../model/topology.js';
import type { Delivery } from '../ports/broker.js';
import { HeldJob, type JobRunner } from './held-job.js';

/** A message that is no job, or nobody's job. */
export interface Refusal {
  refused: DeadReason;
  envelope: Envelope | undefined;
  error: Error;
}

/** Reads deliveries of one queue into jobs that its executors can run. */
export class Intake {
  readonly #executors: Map<string, JobRunner>;
  readonly #priorityOf: Map<string, number>;

  constructor(
    private readonly queue: Queue,
    prefix: string,
    executors: readonly JobRunner[],
  ) {
    this.#executors = new Map(executors.map((executor) => [executor.handler.contract.name, executor]));
    this.#priorityOf = new Map(lanesOf(prefix, queue).map(({ name, priority }) => [name, priority]));
  }

  read(delivery: Delivery, now: number): HeldJob | Refusal {
    let envelope: Envelope | undefined;
    try {
      envelope = readEnvelope(delivery, now, () => uuidv7(now));
      const executor = this.#executors.get(envelope.contract) ?? this.#foreign(delivery);
      if (!executor) throw this.#unknown(envelope);
      envelope.contract = executor.handler.contract.name;
      return new HeldJob(delivery, envelope, this.#priority(delivery), executor);
    } catch (error) {
      return { refused: envelope ? 'unknown-contract' : 'unreadable', envelope, error: toError(error) };
    }
  }

  /** The handler whose binding brought a message from an exchange that others own. */
  #foreign({ exchange, routingKey }: Delivery): JobRunner | undefined {
    for (const executor of this.#executors.values()) {
      const { bindings } = executor.handler;
      const brought = bindings.some((b) => b.exchange === exchange && topicMatches(b.routingKey, routingKey));
      if (brought) return executor;
    }
    return undefined;
  }

  /** By lane; by property on a classic queue and for suspects, which have one queue for all priorities. */
  #priority({ queue, properties }: Delivery): number {
    const byLane = this.queue.type === 'classic' ? undefined : this.#priorityOf.get(queue);
    return byLane ?? Math.min(properties.priority ?? 0, this.queue.priorities - 1);
  }

  #unknown({ contract }: Envelope): ContractError {
    return new ContractError(
      'JR_CONTRACT_UNKNOWN',
      `Queue "${this.queue.name}" has a job of contract ${describe(contract)}, which this service has no handler for.`,
      {
        mend: 'Add its handler to this service, give its contract a queue of its own, or replay it once it is there.',
      },
    );
  }
}

/** How often a delivery came to nothing before, as far as the broker counts. Classic queues only know whether. */
export function failedDeliveries({ properties, redelivered }: Delivery): number {
  const counted = properties.headers['x-delivery-count'];
  const now = typeof counted === 'number' ? counted : redelivered ? 1 : 0;
  const before = properties.headers[header.deliveries];
  return now + (typeof before === 'number' ? before : 0);
}
