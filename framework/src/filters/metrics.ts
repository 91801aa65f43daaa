import type { IncomingMessage, ServerResponse } from 'node:http';
import { createNoopMeter, type Meter, type MeterProvider, metrics } from '@opentelemetry/api';
import { JobrailError, toError } from '../base/errors.js';
import { header } from '../model/envelope.js';
import type { Attempt, Filter, Sending } from '../model/filter.js';
import type { Outcome } from '../model/outcome.js';

/*
 * OpenTelemetry metrics: those of the messaging conventions under their names, and Jobrail's own under `jobrail.`. Durations
 * are seconds. Labels are names from code (contract, queue, outcome), never ids: their number stays small.
 */

const seconds = (boundaries: number[]) => ({ unit: 's', advice: { explicitBucketBoundaries: boundaries } });
const quick = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const long = [0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900];
const waits = [0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400];

/** Every metric, with what it counts. The dashboard and the alert rules are held to these names by a test. */
export const metricNames = {
  operationDuration: 'messaging.client.operation.duration',
  sent: 'messaging.client.sent.messages',
  consumed: 'messaging.client.consumed.messages',
  processDuration: 'messaging.process.duration',
  attempts: 'jobrail.attempts',
  waited: 'jobrail.waited',
  lateness: 'jobrail.delay.lateness',
  deadLetters: 'jobrail.dead_letters',
  confirmsInFlight: 'jobrail.publish.in_flight',
  slots: 'jobrail.slots',
  slotsBusy: 'jobrail.slots.busy',
  prefetch: 'jobrail.prefetch',
  held: 'jobrail.held',
  consumerUp: 'jobrail.consumer.up',
} as const;

function instruments(meter: Meter) {
  const names = metricNames;
  return {
    operationDuration: meter.createHistogram(names.operationDuration, { ...seconds(quick), description: 'Sending a job until the broker has confirmed it.' }), // prettier-ignore
    sent: meter.createCounter(names.sent, { unit: '{message}', description: 'Jobs that were sent.' }),
    consumed: meter.createCounter(names.consumed, {
      unit: '{message}',
      description: 'Jobs that were started.',
    }),
    processDuration: meter.createHistogram(names.processDuration, { ...seconds(long), description: 'An attempt, from start to outcome.' }), // prettier-ignore
    attempts: meter.createCounter(names.attempts, { unit: '{attempt}', description: 'Attempts by outcome.' }),
    waited: meter.createHistogram(names.waited, { ...seconds(waits), description: 'From when a job could start to when it did.' }), // prettier-ignore
    lateness: meter.createHistogram(names.lateness, { ...seconds(quick), description: 'How late a delayed job started.' }), // prettier-ignore
    deadLetters: meter.createCounter(names.deadLetters, { unit: '{message}', description: 'Jobs that were given up on, by reason.' }), // prettier-ignore
    confirmsInFlight: meter.createUpDownCounter(names.confirmsInFlight, { unit: '{message}', description: 'Sent and not yet confirmed.' }), // prettier-ignore
  };
}

type Instruments = ReturnType<typeof instruments>;

/** Counts and times each publish and each attempt. Without a registered SDK it does nothing but look for one. */
export function metricsFilter(): Filter {
  let provider: MeterProvider | undefined;
  let made: Instruments | undefined;
  /** Undefined while nobody records. An SDK may be registered at any time. */
  const recording = () => {
    const now = metrics.getMeterProvider();
    if (now === provider) return made;
    provider = now;
    const meter = now.getMeter('jobrail');
    made = meter === createNoopMeter() ? undefined : instruments(meter);
    return made;
  };
  return {
    name: 'metrics',

    lightPublish(sending, next) {
      const recorded = recording();
      return recorded ? measurePublish(recorded, sending, async () => next()) : next();
    },

    begun(attempt) {
      const recorded = recording();
      if (recorded) countStart(recorded, attempt);
    },

    ended(attempt, outcome) {
      const recorded = recording();
      if (recorded) countEnd(recorded, attempt, outcome);
    },
  };
}

async function measurePublish(
  made: Instruments,
  { contract, pack }: Sending,
  next: () => Promise<void>,
): Promise<void> {
  const about = { ...subject(contract.name, contract.queue.name), ...operation('send') };
  const startedAt = performance.now();
  made.confirmsInFlight.add(1);
  let failed = {};
  try {
    await next();
  } catch (error) {
    failed = { 'error.type': kindOf(toError(error)) };
    throw error;
  } finally {
    made.confirmsInFlight.add(-1);
    made.operationDuration.record((performance.now() - startedAt) / 1_000, { ...about, ...failed });
    made.sent.add(pack?.length ?? 1, { ...about, ...failed });
  }
}

function countStart(made: Instruments, { contract, startedAt, readyAt, message, job }: Attempt): void {
  const about = subject(contract.name, contract.queue.name);
  const waited = Math.max(0, startedAt - readyAt) / 1_000;
  made.consumed.add(1, { ...about, ...operation('process') });
  if (job.attempt === 1) made.waited.record(waited, about);
  if (message.properties.headers[header.dueAt] !== undefined) made.lateness.record(waited, about);
}

function countEnd(made: Instruments, { contract, begunAt }: Attempt, outcome: Outcome): void {
  const about = subject(contract.name, contract.queue.name);
  const ended = { ...about, 'jobrail.outcome': outcome.kind };
  const failed = 'error' in outcome ? { 'error.type': kindOf(outcome.error) } : {};
  made.processDuration.record((performance.now() - begunAt) / 1_000, {
    ...ended,
    ...failed,
    ...operation('process'),
  });
  made.attempts.add(1, ended);
  if (outcome.kind === 'dead') made.deadLetters.add(1, { ...about, 'jobrail.dead_reason': outcome.reason });
}

/** Under this name a registered meter provider may offer a page for Prometheus: `jobrail/telemetry` does. */
export const prometheusPage = Symbol.for('jobrail:prometheus');

/** Answers `GET /metrics`; undefined where no SDK that offers it is registered. */
export function metricsPage(): ((request: IncomingMessage, response: ServerResponse) => void) | undefined {
  const provider = metrics.getMeterProvider() as MeterProvider & {
    [prometheusPage]?: ReturnType<typeof metricsPage>;
  };
  return provider[prometheusPage];
}

/** A queue inside a service, as it is now. */
export interface QueueGauges {
  queue: string;
  slots: number;
  busy: number;
  prefetch: number;
  held: number;
  up: boolean;
}

/** Has gauges read while an SDK is registered, until what it returns is called. */
export function observeQueues(read: () => readonly QueueGauges[]): () => void {
  const meter = metrics.getMeterProvider().getMeter('jobrail');
  const names = metricNames;
  const gauge = (name: string, unit: string, description: string) =>
    meter.createObservableGauge(name, { unit, description });
  const slots = gauge(names.slots, '{slot}', 'Jobs that may run at a time.');
  const busy = gauge(names.slotsBusy, '{slot}', 'Jobs that run.');
  const prefetch = gauge(names.prefetch, '{message}', 'Jobs held of each lane at most.');
  const held = gauge(names.held, '{message}', 'Jobs in hand that are not started.');
  const up = gauge(
    names.consumerUp,
    '1',
    '1 while the consumers of a queue are registered, or it is paused.',
  );
  const all = [slots, busy, prefetch, held, up];
  const observe: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
    for (const now of read()) {
      const about = { 'jobrail.queue': now.queue };
      result.observe(slots, now.slots, about);
      result.observe(busy, now.busy, about);
      result.observe(prefetch, now.prefetch, about);
      result.observe(held, now.held, about);
      result.observe(up, now.up ? 1 : 0, about);
    }
  };
  meter.addBatchObservableCallback(observe, all);
  return () => meter.removeBatchObservableCallback(observe, all);
}

function subject(contract: string, queue: string) {
  return {
    'messaging.system': 'rabbitmq',
    'messaging.destination.name': queue,
    'jobrail.contract': contract,
    'jobrail.queue': queue,
  };
}

function operation(name: 'send' | 'process') {
  return { 'messaging.operation.name': name, 'messaging.operation.type': name };
}

function kindOf(error: Error): string {
  return error instanceof JobrailError ? error.code : error.name;
}
