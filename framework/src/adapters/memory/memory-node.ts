import { type Clock, systemClock } from '../../base/clock.js';
import { TopologyError } from '../../base/errors.js';
import type { OutgoingMessage } from '../../model/message.js';
import type { BindingPlan, ExchangePlan, QueuePlan, Topology } from '../../model/topology.js';
import { Activity } from './activity.js';
import { deadLettered, type DeathReason, goesInCircles } from './dead-letter.js';
import { refuseConflict } from './declaration.js';
import { MemoryExchange } from './memory-exchange.js';
import { MemoryQueue, type QueueHost } from './memory-queue.js';
import { isStream, MemoryStream } from './memory-stream.js';

/** What became of a message that was published. */
export type PublishResult = 'queued' | 'no queue' | 'no exchange';

/** Where a message ends up. */
type MessageTaker = Pick<MemoryQueue, 'name' | 'put'>;

export interface QueueCounts {
  /** Waiting for delivery. */
  ready: number;
  /** Handed out and not settled. */
  unacked: number;
  consumers: number;
}

/**
 * A broker in this process: exchanges, queues and what is in them, shared by every `MemoryBroker` that is made with it.
 * It behaves as RabbitMQ 3.10 does in all that the `Broker` port shows. Messages are routed at once, also those whose
 * time is over, so a clock that is moved by hand takes them through any number of hops in one step.
 */
export class MemoryNode implements QueueHost {
  readonly activity = new Activity();
  readonly #exchanges = new Map<string, MemoryExchange>();
  readonly #queues = new Map<string, MemoryQueue>();
  readonly #streams = new Map<string, MemoryStream>();
  readonly #lines = new Map<string, MessageTaker>();

  constructor(readonly clock: Clock = systemClock) {}

  /**
   * True when no confirm or delivery is under way: what is left waits for a consumer, an ack or the clock.
   */
  get idle(): boolean {
    return this.activity.idle;
  }

  /** Resolves at the next change of any queue, confirm or delivery. */
  changed(): Promise<void> {
    return this.activity.changed();
  }

  /** What each queue holds, by its name. */
  counts(): Map<string, QueueCounts> {
    return new Map(
      [...this.#queues].map(([name, { ready, unacked, consumers }]) => [name, { ready, unacked, consumers }]),
    );
  }

  queue(name: string): MemoryQueue | undefined {
    return this.#queues.get(name);
  }

  stream(name: string): MemoryStream | undefined {
    return this.#streams.get(name);
  }

  /** Lets the default exchange bring what is addressed to it. */
  openLine(line: MessageTaker): void {
    this.#lines.set(line.name, line);
  }

  closeLine({ name }: MessageTaker): void {
    this.#lines.delete(name);
  }

  /** @throws TopologyError as the port says; what stands before the conflict in the plan has been declared. */
  declare({ exchanges, queues, bindings }: Topology): void {
    for (const exchange of exchanges) this.#declareExchange(exchange);
    for (const queue of queues) this.#declareQueue(queue);
    for (const binding of bindings) this.#bind(binding);
    this.activity.touch();
  }

  remove({ exchanges, queues }: Topology): void {
    for (const { name } of queues) {
      const queue = this.#queues.get(name);
      this.#queues.delete(name);
      queue?.delete();
      this.#streams.get(name)?.delete();
      this.#streams.delete(name);
      for (const exchange of this.#exchanges.values()) exchange.unbind({ queue: name });
    }
    for (const { name } of exchanges) {
      this.#exchanges.delete(name);
      for (const exchange of this.#exchanges.values()) exchange.unbind({ exchange: name });
    }
    this.activity.touch();
  }

  publish(message: OutgoingMessage): PublishResult {
    if (message.exchange !== '' && !this.#exchanges.has(message.exchange)) return 'no exchange';
    const queues = this.#route(message);
    if (queues.length === 0) return 'no queue';
    const copy = {
      ...message,
      body: Buffer.from(message.body),
      properties: structuredClone(message.properties),
    };
    for (const queue of queues) queue.put(copy);
    return 'queued';
  }

  /** Without a dead-letter exchange, or where no queue takes it, the message is dropped. */
  deadLetter(from: MemoryQueue, message: OutgoingMessage, reason: DeathReason): void {
    const {
      'x-dead-letter-exchange': exchange,
      'x-dead-letter-routing-key': routingKey = message.routingKey,
    } = from.plan.arguments;
    if (exchange === undefined) return;
    const death = { queue: from.name, reason, at: this.clock.now() };
    const dead = deadLettered(message, death, { exchange, routingKey });
    for (const queue of this.#route(dead)) {
      if (!goesInCircles(dead, queue.name)) queue.put(dead);
    }
  }

  /** The queues that get a message, each once, through bindings between exchanges and alternate exchanges. */
  #route({ exchange, routingKey }: OutgoingMessage): MessageTaker[] {
    if (exchange === '') return this.#named(routingKey);
    const queues = new Set<MessageTaker>();
    const visits = new Set([exchange]); // grows while it is walked
    for (const visit of visits) {
      const source = this.#exchanges.get(visit);
      const destinations = source?.destinations(routingKey) ?? [];
      if (destinations.length === 0 && source?.plan.alternate !== undefined)
        visits.add(source.plan.alternate);
      for (const to of destinations) {
        if (to.exchange !== undefined) visits.add(to.exchange);
        else for (const queue of this.#named(to.queue!)) queues.add(queue);
      }
    }
    return [...queues];
  }

  #named(name: string): MessageTaker[] {
    const queue = this.#queues.get(name) ?? this.#streams.get(name) ?? this.#lines.get(name);
    return queue ? [queue] : [];
  }

  #declareExchange(plan: ExchangePlan): void {
    const existing = this.#exchanges.get(plan.name)?.plan;
    if (!existing) {
      this.#exchanges.set(plan.name, new MemoryExchange(plan));
      return;
    }
    const facts = ({ type, alternate }: ExchangePlan) => ({ type, 'alternate-exchange': alternate });
    refuseConflict(`exchange "${plan.name}"`, facts(plan), facts(existing));
  }

  #declareQueue(plan: QueuePlan): void {
    const existing = (this.#queues.get(plan.name) ?? this.#streams.get(plan.name))?.plan;
    if (existing) refuseConflict(`queue "${plan.name}"`, { ...plan.arguments }, { ...existing.arguments });
    else if (isStream(plan)) this.#streams.set(plan.name, new MemoryStream(plan, this));
    else this.#queues.set(plan.name, new MemoryQueue(plan, this));
  }

  #bind(binding: BindingPlan): void {
    const { source, queue, exchange } = binding;
    if (queue !== undefined && this.#named(queue).length === 0) throw missing(`queue "${queue}"`);
    if (exchange !== undefined && !this.#exchanges.has(exchange)) throw missing(`exchange "${exchange}"`);
    const from = this.#exchanges.get(source);
    if (!from) throw missing(`exchange "${source}"`);
    from.bind(binding);
  }
}

/** What is used but was never declared. */
export function missing(what: string): TopologyError {
  return new TopologyError('JR_TOPOLOGY_MISSING', `The broker has no ${what}.`, {
    mend: 'Declare it first, or check the prefix.',
  });
}
