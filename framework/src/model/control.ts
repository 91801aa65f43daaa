import { ContractError, describe } from '../base/errors.js';
import { mostPriorities, queueNames } from './contract.js';

/*
 * What is said to all processes of a deployment. The messages lie on a stream that each process reads from its beginning,
 * so one that is started later knows them too. `docs/wire.md` tells how they look there.
 */

/** Nothing of this queue is started any more, until `resume`. */
export interface PauseQueue {
  action: 'pause' | 'resume';
  queue: string;
}

/** The job is not started any more, and stopped where it runs. */
export interface CancelJob {
  action: 'cancel';
  job: string;
  reason?: string | undefined;
  /** Nobody needs to know of it any longer. Milliseconds since 1970. */
  until: number;
}

/** The processes of this service that run now stop, as by SIGTERM. Those that are started later do not. */
export interface DrainService {
  action: 'drain';
  service: string;
}

/** Says nothing; whoever sent it has read all that was said before when it comes back. */
export interface Mark {
  action: 'mark';
  id: string;
  /** Of a service that starts: what it is, so that people can find its queues. */
  service?: string | undefined;
  queues?: readonly QueueFacts[] | undefined;
}

/** What has to be known to find a queue on the broker. */
export interface QueueFacts {
  name: string;
  type: 'quorum' | 'classic';
  priorities: number;
  contracts: readonly string[];
}

/** A queue as services have told of it. */
export interface KnownQueue extends QueueFacts {
  /** Names of the services that consume it. */
  services: readonly string[];
}

export type ControlOrder = PauseQueue | CancelJob | DrainService;

/** One message of the control stream. */
export type ControlMessage = (ControlOrder | Mark) & {
  v: 1;
  /** Milliseconds since 1970, by the clock of the sender. */
  at: number;
  /** Who says it, such as `ada@web-1`. */
  by: string;
};

/** A job can wait for a year, and may come back for retries. */
const cancelsKeptMs = 400 * 86_400_000;

/** Ids that are kept in mind; the oldest are dropped beyond. About 20 MB. */
const mostCancelled = 100_000;

/** How long a cancel that begins at `now` has to be known, for a job that may be delayed as long as jobs can be. */
export function cancelUntil(now: number): number {
  return now + cancelsKeptMs;
}

/** @throws ContractError (`JR_MESSAGE_UNREADABLE`) for what is no control message, or one of a later version. */
export function readControl(body: Buffer): ControlMessage {
  let message: Partial<Record<string, unknown>> | null | undefined;
  try {
    message = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
  } catch {
    message = undefined;
  }
  const fields = subjectOf[String(message?.['action'])];
  if (
    message?.['v'] === 1 &&
    typeof message['at'] === 'number' &&
    typeof message['by'] === 'string' &&
    fields?.every(([name, type]) => typeof message[name] === type)
  ) {
    return message as unknown as ControlMessage;
  }
  throw new ContractError('JR_MESSAGE_UNREADABLE', `${describe(message)} is no control message.`, {
    mend: 'docs/wire.md says what a control message must look like.',
  });
}

const subjectOf: Record<string, [name: string, type: 'string' | 'number'][] | undefined> = Object.assign(
  Object.create(null) as object,
  {
    pause: [['queue', 'string']],
    resume: [['queue', 'string']],
    cancel: [
      ['job', 'string'],
      ['until', 'number'],
    ],
    drain: [['service', 'string']],
    mark: [['id', 'string']],
  } satisfies Record<ControlMessage['action'], [string, 'string' | 'number'][]>,
);

/** What holds after all that was said: the last word on each queue and each job. */
export class ControlState {
  readonly #paused = new Map<string, ControlMessage & PauseQueue>();
  readonly #cancelled = new Map<string, ControlMessage & CancelJob>();
  readonly #known = new Map<string, KnownQueue>();

  apply(message: ControlMessage, now: number): void {
    if (message.action === 'pause') this.#paused.set(message.queue, message);
    else if (message.action === 'resume') this.#paused.delete(message.queue);
    else if (message.action === 'cancel' && message.until > now) this.#cancel(message);
    else if (message.action === 'mark' && message.service !== undefined)
      this.#learn(message.service, message);
  }

  /** Queues of the services that were ever started, by name. */
  get knownQueues(): KnownQueue[] {
    return [...this.#known.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Who paused a queue and when; undefined for one that is not paused. */
  pause(queue: string): { at: number; by: string } | undefined {
    return this.#paused.get(queue);
  }

  get pausedQueues(): string[] {
    return [...this.#paused.keys()];
  }

  /** The cancel of a job, if there is one that still counts. */
  cancelOf(job: string, now: number): (CancelJob & { at: number; by: string }) | undefined {
    if (this.#cancelled.size === 0) return undefined;
    const cancel = this.#cancelled.get(job);
    return cancel && cancel.until > now ? cancel : undefined;
  }

  #learn(service: string, { queues }: Mark): void {
    if (!Array.isArray(queues)) return;
    for (const queue of queues as readonly unknown[]) {
      if (!isQueueFacts(queue)) continue;
      const before = this.#known.get(queue.name);
      const services = [...new Set([...(before?.services ?? []), service])];
      const contracts = [...new Set([...(before?.contracts ?? []), ...queue.contracts])];
      this.#known.set(queue.name, { ...queue, services, contracts });
    }
  }

  #cancel(message: ControlMessage & CancelJob): void {
    this.#cancelled.delete(message.job);
    this.#cancelled.set(message.job, message);
    if (this.#cancelled.size <= mostCancelled) return;
    const [oldest] = this.#cancelled.keys();
    this.#cancelled.delete(oldest!);
  }
}

function isQueueFacts(value: unknown): value is QueueFacts {
  const { name, type, priorities, contracts } = (value ?? {}) as Partial<QueueFacts>;
  return (
    typeof name === 'string' &&
    queueNames.test(name) && // others cannot be asked for on the broker
    (type === 'quorum' || type === 'classic') &&
    typeof priorities === 'number' &&
    priorities >= 1 &&
    priorities <= mostPriorities &&
    Array.isArray(contracts) &&
    contracts.every((contract) => typeof contract === 'string')
  );
}
