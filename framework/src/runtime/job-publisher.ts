import type { Clock } from '../base/clock.js';
import { uuidv7 } from '../base/uuidv7.js';
import { ContractError, PublishError } from '../base/errors.js';
import { compose } from '../base/pipeline.js';
import { brokerFeatures } from '../model/broker-features.js';
import { type Contract, type InputOf, type Queue, validatePayload } from '../model/contract.js';
import { type DelayRoute, routeDelay } from '../model/delay.js';
import {
  type EnqueueOptions,
  type EnqueuedJob,
  type EnqueuePlan,
  planEnqueue,
} from '../model/enqueue-options.js';
import { header, mostHops, payloadJson, writePayload } from '../model/envelope.js';
import { readUnique } from '../model/unique.js';
import { type Filter, publishSteps, type Sending } from '../model/filter.js';
import type { JobContext } from '../model/job-context.js';
import type { MessageHeaders, MessageProperties, OutgoingMessage } from '../model/message.js';
import { packEncoding, type PackWriter } from '../model/pack.js';
import {
  deadExchange,
  delayPath,
  jobsTopology,
  laneQueue,
  laneToken,
  queueTopology,
  suspectsQueue,
  type Topology,
} from '../model/topology.js';
import type { Broker } from '../ports/broker.js';
import type { UniqueJobs } from './unique-jobs.js';

export interface JobPublisherOptions {
  broker: Broker;
  prefix: string;
  clock: Clock;
  /** Name of the sending service, `app_id` on the wire. */
  app: string;
  filters: readonly Filter[];
  /** A larger payload is refused. Bytes. */
  mostPayloadBytes: number;
  unique?: UniqueJobs;
}

/** What a job carries over from the job whose handler enqueues it. */
export interface Parent {
  job: JobContext;
  hops: number;
}

/** Where a copy of a job goes: to a lane of its queue, at once or when due. */
export interface Destination {
  contract: Contract;
  priority: number;
  dueAt: number | undefined;
}

/**
 * Turns jobs into messages and sends them: new ones through the publish filters, and copies (retries, snoozes, delays,
 * dead letters) straight. Each promise resolves when the broker has confirmed the message.
 */
export class JobPublisher {
  readonly #options: JobPublisherOptions;
  readonly #send: (sending: Sending) => void | Promise<void>;
  readonly #declared = new Map<string, Promise<void>>();
  /** Contracts whose queue was deleted and is being declared again. */
  readonly #declaredAgain = new Map<string, Promise<void>>();
  /** Contracts whose queue is known to exist. */
  readonly #ready = new Set<string>();
  /** Names of the lanes that jobs went to, by priority. */
  readonly #lanes = new WeakMap<Queue, string[]>();
  /** Levels and digits of the delay net that are known to exist. */
  readonly #delayParts = new Set<string>();
  readonly #delaysBeingDeclared = new Map<string, Promise<void>>();

  constructor(options: JobPublisherOptions) {
    this.#options = options;
    this.#send = compose(publishSteps(options.filters), (sending) => this.#publishNew(sending));
  }

  /**
   * @throws ContractError, OptionError for what is wrong with the job; PublishError, BrokerError when the broker could
   * not take it.
   */
  async enqueue<C extends Contract>(
    contract: C,
    payload: InputOf<C>,
    options?: EnqueueOptions<InputOf<C>>,
    parent?: Parent,
  ): Promise<EnqueuedJob> {
    const checked = validatePayload(contract, payload);
    if (checked instanceof Promise) await checked;
    if (options?.unique && this.#options.unique) {
      return this.#enqueueUnique(this.#options.unique, contract, payload, options, parent);
    }
    const sending = this.prepare(contract, payload, options, parent);
    await this.send(sending);
    return { id: sending.id };
  }

  async #enqueueUnique<C extends Contract>(
    jobs: UniqueJobs,
    contract: C,
    payload: InputOf<C>,
    { unique, ...options }: EnqueueOptions<InputOf<C>>,
    parent?: Parent,
  ): Promise<EnqueuedJob> {
    const sending = this.prepare(contract, payload, options, parent);
    const dueAt = sending.message.properties.headers[header.dueAt] as number | undefined;
    const delayMs = dueAt === undefined ? 0 : Math.max(0, dueAt - this.#options.clock.now());
    const read = readUnique(contract.name, unique!, payload, delayMs);
    return jobs.enqueue(sending, read, delayMs, () => this.send(sending));
  }

  /**
   * A job as a message, not sent yet. Its payload is taken for checked against the schema.
   * @throws as `enqueue`, but for the schema and the broker.
   */
  prepare<C extends Contract>(
    contract: C,
    payload: InputOf<C>,
    options?: Omit<EnqueueOptions, 'unique'>,
    parent?: Parent,
  ): Sending {
    const now = this.#options.clock.now();
    const plan = planEnqueue(contract, options, now);
    const body = writePayload(contract.name, payload);
    this.#refuseTooLarge(contract, body.length);
    const id = plan.id ?? uuidv7(now);
    const properties = this.#properties(contract, id, plan, now, parent);
    // A delayed job gets its way through the net when it is sent.
    const message = { exchange: '', routingKey: this.#lane(contract, plan.priority), body, properties };
    return { contract, id, message, parent: parent?.job };
  }

  /**
   * Puts a job into a pack. Its payload is taken for checked against the schema.
   * @returns its id; undefined when it has no place in there.
   * @throws ContractError (`JR_PAYLOAD_NOT_JSON`, `JR_PAYLOAD_TOO_LARGE`)
   */
  addToPack(pack: PackWriter, contract: Contract, payload: unknown): string | undefined {
    const json = payloadJson(contract.name, payload);
    const bytes = Buffer.byteLength(json);
    this.#refuseTooLarge(contract, bytes);
    if (!pack.takes(bytes)) return undefined;
    const id = uuidv7(this.#options.clock.now());
    pack.add(id, json, bytes);
    return id;
  }

  /** Jobs as one message, not sent yet. @throws OptionError */
  preparePack(
    contract: Contract,
    jobs: PackWriter,
    options?: Omit<EnqueueOptions, 'unique' | 'id'>,
  ): Sending {
    const now = this.#options.clock.now();
    const plan = planEnqueue(contract, options, now);
    const id = uuidv7(now);
    const { correlationId: _, ...properties } = this.#properties(contract, id, plan, now);
    const message = {
      exchange: '',
      routingKey: this.#lane(contract, plan.priority),
      body: jobs.close(),
      properties: { ...properties, contentEncoding: packEncoding },
    };
    return { contract, id, message, parent: undefined, pack: jobs.ids };
  }

  async send(sending: Sending): Promise<void> {
    return this.#send(sending);
  }

  /** Sends a copy of a job to its queue, through the delay net when it is due later. */
  copy(to: Destination, body: Buffer, properties: MessageProperties): Promise<void> {
    const routingKey = this.#lane(to.contract, to.priority);
    return this.#publish(to, { exchange: '', routingKey, body, properties });
  }

  /** Sends a copy of a job to the dead letters of a queue. */
  bury(queue: Queue, body: Buffer, properties: MessageProperties): Promise<void> {
    const exchange = deadExchange(this.#options.prefix);
    return this.#putAside(queue, { exchange, routingKey: queue.name, body, properties });
  }

  /** Sends a copy of a job to the suspects of a queue. */
  suspect(queue: Queue, body: Buffer, properties: MessageProperties): Promise<void> {
    const routingKey = suspectsQueue(this.#options.prefix, queue);
    return this.#putAside(queue, { exchange: '', routingKey, body, properties });
  }

  /** Makes the queue of a contract exist, once for each contract. */
  declare(contract: Contract, again = false): Promise<void> {
    const { broker, prefix } = this.#options;
    let declared = this.#declared.get(contract.name);
    if (!declared) {
      declared = broker.connect().then(() => {
        const features = brokerFeatures(broker.info?.version);
        return broker.declare(jobsTopology(prefix, [contract], features), { again });
      });
      this.#declared.set(contract.name, declared);
      declared.then(
        () => this.#ready.add(contract.name),
        () => this.#declared.delete(contract.name),
      );
    }
    return declared;
  }

  #publishNew({ contract, message }: Sending): Promise<void> {
    const { priority = 0, headers } = message.properties;
    const to = { contract, priority, dueAt: headers[header.dueAt] as number | undefined };
    if (this.#ready.has(contract.name)) return this.#publish(to, message);
    return this.declare(contract).then(() => this.#publish(to, message));
  }

  #publish(to: Destination, message: OutgoingMessage): Promise<void> {
    return this.#route(to, message).catch((error: unknown) => {
      if (!isReturned(error)) throw error;
      return this.#publishAgain(to, message);
    });
  }

  async #putAside(queue: Queue, message: OutgoingMessage): Promise<void> {
    const { broker, prefix } = this.#options;
    try {
      await broker.publish(message);
    } catch (error) {
      if (!isReturned(error)) throw error;
      const topology = queueTopology(prefix, queue, brokerFeatures(broker.info?.version));
      await broker.declare(topology, { again: true });
      await broker.publish(message);
    }
  }

  /** Somebody deleted what was declared: it is made again, once. */
  async #publishAgain(to: Destination, message: OutgoingMessage): Promise<void> {
    await this.#declareAgain(to.contract);
    await this.#route(to, message);
  }

  #declareAgain(contract: Contract): Promise<void> {
    const { name } = contract;
    let declared = this.#declaredAgain.get(name);
    if (!declared) {
      this.#declared.delete(name);
      this.#ready.delete(name);
      this.#delayParts.clear();
      declared = this.declare(contract, true).finally(() => this.#declaredAgain.delete(name));
      this.#declaredAgain.set(name, declared);
    }
    return declared;
  }

  #route(to: Destination, message: OutgoingMessage): Promise<void> {
    const { broker, clock } = this.#options;
    const route = to.dueAt === undefined ? undefined : routeDelay(to.dueAt - clock.now());
    return route ? this.#delay(to, route, message) : broker.publish(message);
  }

  async #delay(to: Destination, route: DelayRoute, message: OutgoingMessage): Promise<void> {
    const { broker, prefix } = this.#options;
    const { exchange, routingKey, topology } = delayPath(
      prefix,
      route,
      laneToken(to.contract.queue, to.priority),
    );
    const parts = route.digits.slice(0, route.level + 1).map((digit, level) => `${level}.${digit}`);
    if (!parts.every((part) => this.#delayParts.has(part))) await this.#declareDelay(parts, topology);
    await broker.publish({ ...message, exchange, routingKey });
  }

  /** Once for all jobs that want the same way at the same time: a thousand channels would hold up everything else. */
  #declareDelay(parts: readonly string[], topology: Topology): Promise<void> {
    const way = parts.join(' ');
    let declared = this.#delaysBeingDeclared.get(way);
    if (!declared) {
      declared = this.#options.broker
        .declare(topology)
        .then(() => parts.forEach((part) => this.#delayParts.add(part)))
        .finally(() => this.#delaysBeingDeclared.delete(way));
      this.#delaysBeingDeclared.set(way, declared);
    }
    return declared;
  }

  /**
   * The routing key of a job, for the default exchange: a topic exchange costs the broker as much as all else it does to a
   * job (decision 20).
   */
  #lane({ queue }: Contract, priority: number): string {
    let lanes = this.#lanes.get(queue);
    if (!lanes) this.#lanes.set(queue, (lanes = []));
    return (lanes[priority] ??= laneQueue(this.#options.prefix, queue, priority));
  }

  #properties(
    contract: Contract,
    id: string,
    plan: EnqueuePlan,
    now: number,
    parent?: Parent,
  ): MessageProperties {
    const headers: MessageHeaders = plan.headers ? { ...plan.headers } : {};
    // The time stands in an id that Jobrail made.
    if (plan.id !== undefined) headers[header.enqueuedAt] = now;
    if (plan.dueAt !== undefined) headers[header.dueAt] = plan.dueAt;
    if (plan.expiresAt !== undefined) headers[header.expiresAt] = plan.expiresAt;
    if (parent) {
      headers[header.causation] = parent.job.id;
      headers[header.hops] = nextHop(contract, parent);
    }
    const properties: MessageProperties = {
      messageId: id,
      type: contract.name,
      correlationId: parent?.job.rootId ?? id,
      timestamp: Math.floor(now / 1_000),
      contentType: 'application/json',
      deliveryMode: 2,
      appId: this.#options.app,
      headers,
    };
    if (plan.priority > 0) properties.priority = plan.priority;
    return properties;
  }

  #refuseTooLarge(contract: Contract, bytes: number): void {
    const { mostPayloadBytes } = this.#options;
    if (bytes <= mostPayloadBytes) return;
    throw new ContractError(
      'JR_PAYLOAD_TOO_LARGE',
      `The payload of "${contract.name}" has ${bytes} bytes; the limit is ${mostPayloadBytes}.`,
      { mend: 'Put the data into a storage and send its key, or raise maxPayloadBytes.' },
    );
  }
}

function isReturned(error: unknown): boolean {
  return error instanceof PublishError && error.code === 'JR_PUBLISH_RETURNED';
}

function nextHop(contract: Contract, { job, hops }: Parent): number {
  if (hops < mostHops) return hops + 1;
  throw new ContractError(
    'JR_CIRCLE',
    `Job ${job.id} of "${job.contract}" is ${hops} child jobs deep and enqueues "${contract.name}".`,
    { mend: `Jobs that enqueue each other in a circle never end; the limit is ${mostHops}.` },
  );
}
