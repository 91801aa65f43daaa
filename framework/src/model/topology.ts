import { delayRoutingKey, type DelayRoute, levels, levelTtlMs, radix } from './delay.js';
import { type BrokerFeatures, brokerFeatures } from './broker-features.js';
import type { Contract, Queue } from './contract.js';

/** What must exist on the broker, as plain data: computed first, printed or compared, then declared. */
export interface Topology {
  exchanges: ExchangePlan[];
  queues: QueuePlan[];
  bindings: BindingPlan[];
}

export interface ExchangePlan {
  name: string;
  type: 'topic' | 'fanout';
  /** Where messages go that no binding matches. */
  alternate?: string;
}

export interface QueuePlan {
  name: string;
  arguments: QueueArguments;
}

/** Arguments of `queue.declare`, by their names on the wire. */
export interface QueueArguments {
  'x-queue-type': 'quorum' | 'classic' | 'stream';
  /** Of a stream, such as `7D`. */
  'x-max-age'?: string;
  'x-max-length-bytes'?: number;
  'x-stream-max-segment-size-bytes'?: number;
  'x-dead-letter-exchange'?: string;
  'x-dead-letter-routing-key'?: string;
  'x-dead-letter-strategy'?: 'at-least-once';
  'x-overflow'?: 'reject-publish';
  'x-message-ttl'?: number;
  'x-max-priority'?: number;
  'x-delivery-limit'?: number;
  'x-consumer-timeout'?: number;
}

/** From an exchange to a queue, or to another exchange. */
export interface BindingPlan {
  source: string;
  routingKey: string;
  queue?: string;
  exchange?: string;
}

export const defaultPrefix = 'jobrail';

/** A message that no consumer can finish ends in the dead letters after so many deliveries, by the broker itself. */
const deliveryLimit = 100;

/**
 * Of a queue that people look into: whoever looks takes messages and gives them back, and RabbitMQ from 4.0 on drops what
 * came back more than 20 times, unless there is a limit.
 */
const keptArguments: QueueArguments = { 'x-queue-type': 'quorum', 'x-delivery-limit': 2 ** 31 - 1 };

export const jobsExchange = (prefix: string) => `${prefix}.jobs`;
export const deadExchange = (prefix: string) => `${prefix}.dead`;
export const delayExchange = (prefix: string, level: number) => `${prefix}.delay.${level}`;
export const deliverExchange = (prefix: string) => `${prefix}.delay.deliver`;
export const unroutable = (prefix: string) => `${prefix}.unroutable`;
export const controlStream = (prefix: string) => `${prefix}.control`;
export const deadQueue = (prefix: string, queue: Pick<Queue, 'name'>) => `${prefix}.${queue.name}.dead`;

/** The stream of events. */
export const eventsStream = (prefix: string) => `${prefix}.events`;

/** Where jobs wait that may be what kills their process. */
export const suspectsQueue = (prefix: string, queue: Queue) => `${prefix}.${queue.name}.suspects`;

/** The RabbitMQ queue of one priority of a queue. A classic queue has all its priorities in one. */
export function laneQueue(prefix: string, queue: Queue, priority: number): string {
  return `${prefix}.${laneToken(queue, priority).replace('~', '.')}`;
}

/** The lane as one word of a routing key: `email`, `email~p2`. */
export function laneToken(queue: Queue, priority: number): string {
  return priority === 0 || queue.type === 'classic' ? queue.name : `${queue.name}~p${priority}`;
}

/** The lanes of a queue, the least urgent first. */
export function lanesOf(prefix: string, queue: Queue): { priority: number; name: string; token: string }[] {
  const count = queue.type === 'classic' ? 1 : queue.priorities;
  return Array.from({ length: count }, (_, priority) => ({
    priority,
    name: laneQueue(prefix, queue, priority),
    token: laneToken(queue, priority),
  }));
}

/** The routing key of a job on the jobs exchange: the contract's name, plus `.p<k>` for priority k > 0. */
export function jobRoutingKey(contract: Contract, priority: number): string {
  return priority === 0 || contract.queue.type === 'classic'
    ? contract.name
    : `${contract.name}.p${priority}`;
}

/** Everything but the delay net, whose parts are declared when first used. */
export function jobsTopology(
  prefix: string,
  contracts: readonly Contract[],
  features: BrokerFeatures = brokerFeatures(undefined),
): Topology {
  const plan = baseTopology(prefix);
  plan.queues.push(...controlTopology(prefix).queues);
  const queues = new Map(contracts.map(({ queue }) => [queue.name, queue]));
  for (const queue of queues.values()) addQueue(plan, prefix, queue, features);
  for (const contract of contracts) {
    for (const lane of lanesOf(prefix, contract.queue)) {
      plan.bindings.push({
        source: jobsExchange(prefix),
        routingKey: jobRoutingKey(contract, lane.priority),
        queue: lane.name,
      });
    }
  }
  return plan;
}

/**
 * The stream of what is said to all processes. Kept for longer than a job can wait; small segments, because a stream
 * drops what is old by whole segments.
 */
export function controlTopology(prefix: string): Topology {
  const args = {
    'x-queue-type': 'stream',
    'x-max-age': '400D',
    'x-max-length-bytes': 64_000_000,
    'x-stream-max-segment-size-bytes': 1_000_000,
  } as const;
  return { exchanges: [], queues: [{ name: controlStream(prefix), arguments: args }], bindings: [] };
}

/** What belongs to a queue, whatever its contracts. */
export function queueTopology(prefix: string, queue: Queue, features: BrokerFeatures): Topology {
  const plan = baseTopology(prefix);
  addQueue(plan, prefix, queue, features);
  return plan;
}

function baseTopology(prefix: string): Topology {
  const lost = unroutable(prefix);
  return {
    exchanges: [
      { name: lost, type: 'fanout' },
      { name: jobsExchange(prefix), type: 'topic' },
      { name: deadExchange(prefix), type: 'topic', alternate: lost },
      { name: deliverExchange(prefix), type: 'topic', alternate: lost },
    ],
    queues: [{ name: lost, arguments: keptArguments }],
    bindings: [{ source: lost, routingKey: '', queue: lost }],
  };
}

function addQueue(plan: Topology, prefix: string, queue: Queue, features: BrokerFeatures): void {
  const dead = deadQueue(prefix, queue);
  plan.queues.push({ name: dead, arguments: keptArguments });
  plan.bindings.push({ source: deadExchange(prefix), routingKey: queue.name, queue: dead });
  plan.queues.push({
    name: suspectsQueue(prefix, queue),
    arguments: quorumArguments(prefix, queue, features),
  });
  for (const lane of lanesOf(prefix, queue)) {
    plan.queues.push({ name: lane.name, arguments: laneArguments(prefix, queue, features) });
    plan.bindings.push({
      source: deliverExchange(prefix),
      routingKey: `${'*.'.repeat(levels)}${lane.token}`,
      queue: lane.name,
    });
  }
}

function laneArguments(prefix: string, queue: Queue, features: BrokerFeatures): QueueArguments {
  if (queue.type === 'quorum') return quorumArguments(prefix, queue, features);
  return {
    'x-queue-type': 'classic',
    ...sharedArguments(prefix, 'classic', queue, features),
    ...(queue.priorities > 1 && { 'x-max-priority': queue.priorities - 1 }),
  };
}

function quorumArguments(prefix: string, queue: Queue, features: BrokerFeatures): QueueArguments {
  return {
    'x-queue-type': 'quorum',
    ...sharedArguments(prefix, 'quorum', queue, features),
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
    'x-delivery-limit': deliveryLimit,
  };
}

function sharedArguments(
  prefix: string,
  type: Queue['type'],
  { name, ackTimeoutMs }: Queue,
  { ackTimeoutPerQueue, ackTimeoutOfClassic }: BrokerFeatures,
) {
  const settable = ackTimeoutPerQueue && (type === 'quorum' || ackTimeoutOfClassic);
  return {
    'x-dead-letter-exchange': deadExchange(prefix),
    'x-dead-letter-routing-key': name,
    ...(ackTimeoutMs !== undefined && settable && { 'x-consumer-timeout': ackTimeoutMs }),
  };
}

/** The stream of events: kept for seven days, at most 5 GB. */
export function eventsTopology(prefix: string): Topology {
  const limits = { 'x-max-age': '7D', 'x-max-length-bytes': 5_000_000_000 };
  const queues: QueuePlan[] = [
    { name: eventsStream(prefix), arguments: { 'x-queue-type': 'stream', ...limits } },
  ];
  return { exchanges: [], queues, bindings: [] };
}

/** Where a delayed message is sent, and what of the net must exist for it. */
export interface DelayPath {
  exchange: string;
  routingKey: string;
  topology: Topology;
}

/** The path of a route through the net to a lane. */
export function delayPath(prefix: string, route: DelayRoute, laneToken: string): DelayPath {
  const topology = baseTopology(prefix);
  for (let level = 0; level <= route.level; level++) addLevel(topology, prefix, level, route.digits[level]!);
  return {
    exchange: delayExchange(prefix, route.level),
    routingKey: delayRoutingKey(route, laneToken),
    topology,
  };
}

/** Every exchange, queue and binding that the net can have. */
export function wholeDelayNet(prefix: string): Topology {
  const topology = baseTopology(prefix);
  for (let level = 0; level < levels; level++) {
    for (let digit = 0; digit < radix; digit++) addLevel(topology, prefix, level, digit);
  }
  return topology;
}

/** The part of `level` that messages with `digit` there pass: a wait in a TTL queue, or for 0 straight on. */
function addLevel(topology: Topology, prefix: string, level: number, digit: number): void {
  const source = delayExchange(prefix, level);
  const below = level === 0 ? deliverExchange(prefix) : delayExchange(prefix, level - 1);
  const routingKey = digitPattern(level, digit);
  if (!topology.exchanges.some(({ name }) => name === source)) {
    topology.exchanges.push({ name: source, type: 'topic', alternate: unroutable(prefix) });
  }
  if (digit === 0) {
    topology.bindings.push({ source, routingKey, exchange: below });
    return;
  }
  const queue = `${source}.${digit.toString(radix)}`;
  topology.queues.push({
    name: queue,
    arguments: {
      'x-queue-type': 'quorum',
      'x-message-ttl': levelTtlMs(level, digit),
      'x-dead-letter-exchange': below,
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
    },
  });
  topology.bindings.push({ source, routingKey, queue });
}

/** Matches keys with `digit` at `level`: fixed depth, only `*`. */
function digitPattern(level: number, digit: number): string {
  const words = Array.from({ length: levels + 1 }, () => '*');
  words[levels - 1 - level] = digit.toString(radix);
  return words.join('.');
}

/** A topology less the exchanges and queues of another, and less the bindings that touch them. */
export function withoutTopology(topology: Topology, removed: Topology): Topology {
  const exchanges = new Set(removed.exchanges.map(({ name }) => name));
  const queues = new Set(removed.queues.map(({ name }) => name));
  const touched = ({ source, queue, exchange }: BindingPlan) =>
    exchanges.has(source) || exchanges.has(exchange ?? '') || queues.has(queue ?? '');
  return {
    exchanges: topology.exchanges.filter(({ name }) => !exchanges.has(name)),
    queues: topology.queues.filter(({ name }) => !queues.has(name)),
    bindings: topology.bindings.filter((binding) => !touched(binding)),
  };
}

/** Several topologies as one, each thing once. */
export function mergeTopologies(...topologies: readonly Topology[]): Topology {
  const once = <T>(items: T[]) => [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
  return {
    exchanges: once(topologies.flatMap(({ exchanges }) => exchanges)),
    queues: once(topologies.flatMap(({ queues }) => queues)),
    bindings: once(topologies.flatMap(({ bindings }) => bindings)),
  };
}
