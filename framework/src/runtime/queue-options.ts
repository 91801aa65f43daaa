import { isDeepStrictEqual } from 'node:util';
import { type Duration, durationMs, showMs } from '../base/duration.js';
import { ConfigError, describe, OptionError } from '../base/errors.js';
import { nearest, refuseUnknownOptions, wholeNumber } from '../base/options.js';
import { type BrokerFeatures, defaultAckTimeoutMs } from '../model/broker-features.js';
import type { Queue } from '../model/contract.js';
import type { ConcurrencyBounds } from './concurrency-control.js';
import type { BoundHandler } from './handlers.js';

export interface QueueOptions {
  /**
   * Jobs that run at the same time. Default `'auto'`: found while the service runs, between 1 and 1,000, beginning with 10.
   * `{ min, max }` are other bounds.
   */
  concurrency?: number | 'auto' | { min?: number; max?: number };
  /** Jobs held of each lane, running ones included. Default `'auto'`: as many as keep the slots busy. */
  prefetch?: number | 'auto';
  /** Bytes of payloads held with `prefetch: 'auto'`, beyond one job for each slot. Default 64 MiB. */
  prefetchBytes?: number;
  /** Part of the starts that go to the least urgent job in hand, 0 to 1. Default 0: strict order of urgency. */
  lowShare?: number;
}

const knownOptions = ['concurrency', 'prefetch', 'prefetchBytes', 'lowShare'];

/** Slots that a worker begins with when it is to find out how many are best. */
const firstConcurrency = 10;
const mostSlots = 10_000;

/** What a service was given about its queues. */
export interface QueueSettings {
  /** Name of the service. */
  name: string;
  queues: Record<string, QueueOptions>;
}

/** The options of a queue with their defaults. @throws OptionError */
export function readQueueOptions(queue: string, options: QueueOptions) {
  const subject = `queue "${queue}" of JobService`;
  refuseUnknownOptions(subject, options, knownOptions);
  const concurrency = readConcurrency(options.concurrency ?? 'auto', `concurrency of ${subject}`);
  const prefetch = options.prefetch === 'auto' ? undefined : options.prefetch;
  if (prefetch !== undefined) {
    wholeNumber(prefetch, `prefetch of ${subject}`, { min: concurrency.min, max: 65_535 });
    concurrency.max = Math.min(concurrency.max, prefetch);
    concurrency.from = Math.min(concurrency.from, prefetch);
  }
  const { prefetchBytes = 64 * 1_048_576 } = options;
  wholeNumber(prefetchBytes, `prefetchBytes of ${subject}`, { min: 1, max: Number.MAX_SAFE_INTEGER });
  const { lowShare = 0 } = options;
  if (!(lowShare >= 0 && lowShare <= 1)) {
    throw new OptionError(`lowShare of ${subject} is ${describe(lowShare)}.`, {
      mend: 'Give a number from 0 to 1.',
    });
  }
  return { concurrency, prefetch, prefetchBytes, lowShare };
}

/** A number is bounds that leave no choice. */
function readConcurrency(given: NonNullable<QueueOptions['concurrency']>, what: string): ConcurrencyBounds {
  if (typeof given !== 'object' && given !== 'auto') {
    const slots = wholeNumber(given, what, { min: 1, max: mostSlots });
    return { from: slots, min: slots, max: slots };
  }
  if (given === 'auto') return { from: firstConcurrency, min: 1, max: 1_000 };
  refuseUnknownOptions(what, given, ['min', 'max']);
  const { min = 1, max = Math.max(1_000, min) } = given;
  wholeNumber(min, `min of ${what}`, { min: 1, max: mostSlots });
  wholeNumber(max, `max of ${what}`, { min, max: mostSlots });
  return { from: Math.min(max, Math.max(min, firstConcurrency)), min, max };
}

/**
 * The queues of the handlers, held against those that are configured.
 * @throws ConfigError
 */
export function queuesOf(
  handlers: readonly BoundHandler[],
  { name: service, queues: configured }: QueueSettings,
): Map<string, Queue> {
  if (handlers.length === 0) {
    throw new ConfigError('JR_CONFIG_INVALID', `Service "${service}" has no handlers.`, {
      mend: 'Give at least one class marked with @Job in "handlers".',
    });
  }
  const queues = new Map<string, Queue>();
  for (const { name, contract } of handlers) {
    const { queue } = contract;
    const other = queues.get(queue.name);
    if (other && !isDeepStrictEqual(other, queue)) {
      throw new ConfigError('JR_CONFIG_INVALID', `Queue "${queue.name}" is defined twice, differently.`, {
        mend: 'Define it once with defineQueue() and share it between its contracts.',
      });
    }
    if (!(queue.name in configured)) {
      throw new ConfigError(
        'JR_CONFIG_INVALID',
        `Handler ${name} works on queue "${queue.name}", which is not configured.`,
        {
          mend: `Add it: queues: { ${queue.name}: { concurrency: 10 } }.`,
        },
      );
    }
    queues.set(queue.name, queue);
  }
  for (const name of Object.keys(configured)) {
    if (queues.has(name)) continue;
    const near = nearest(name, [...queues.keys()]);
    throw new ConfigError('JR_CONFIG_INVALID', `Queue "${name}" is configured but no handler works on it.`, {
      mend: near ? `Did you mean "${near}"?` : 'Remove it, or add its handlers.',
    });
  }
  return queues;
}

/**
 * How long a queue may keep a job unacked: a job that is not acked by then is taken away while it runs, and its channel
 * is closed with all that is on it.
 * @throws ConfigError for a handler that may run longer.
 */
export function ackTimeoutOf(
  queue: Queue,
  handlers: readonly BoundHandler[],
  {
    brokerAckTimeout,
    features,
    deafMs,
  }: { brokerAckTimeout?: Duration | undefined; features: BrokerFeatures; deafMs: number },
): number {
  const ofBroker = durationMs(brokerAckTimeout ?? defaultAckTimeoutMs, 'brokerAckTimeout of JobService');
  const limitMs = features.ackTimeoutPerQueue ? (queue.ackTimeoutMs ?? ofBroker) : ofBroker;
  for (const { name, timeoutMs } of handlers) {
    if (timeoutMs + deafMs < limitMs) continue;
    throw new ConfigError(
      'JR_CONFIG_INVALID',
      `Handler ${name} may run for ${showMs(timeoutMs)}, and ${showMs(deafMs)} more until it is given up; the broker takes a job away that is not acked within ${showMs(limitMs)}.`,
      {
        mend: features.ackTimeoutPerQueue
          ? `Give the queue more time, in defineQueue('${queue.name}', { ackTimeout }), or shorten the timeout of the handler.`
          : 'This broker has one limit for all queues: raise consumer_timeout in rabbitmq.conf and say so with brokerAckTimeout, or shorten the timeout of the handler.',
      },
    );
  }
  return limitMs;
}
