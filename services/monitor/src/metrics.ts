import { metrics } from '@opentelemetry/api';
import type { Projector } from './projection/projector.js';

/** What the monitor tells of itself, beside the metrics of the jobs that it sends and runs. */
export const metricNames = { lag: 'jobrail.monitor.lag', events: 'jobrail.monitor.events' } as const;

/**
 * Tells how the projection goes to the OpenTelemetry SDK that is registered, if one is; a replica that does not project
 * has no lag.
 * @returns what ends it.
 */
export function measure(projector: Pick<Projector, 'lagMs' | 'projected'>): () => void {
  const meter = metrics.getMeter('jobrail.monitor');
  const lag = meter.createObservableGauge(metricNames.lag, {
    unit: 's',
    description: 'How far the records are behind the stream of events.',
  });
  const events = meter.createObservableCounter(metricNames.events, {
    unit: '{event}',
    description: 'Events that became records.',
  });
  const observe: Parameters<typeof meter.addBatchObservableCallback>[0] = (result) => {
    if (projector.lagMs !== undefined) result.observe(lag, projector.lagMs / 1_000);
    result.observe(events, projector.projected);
  };
  meter.addBatchObservableCallback(observe, [lag, events]);
  return () => meter.removeBatchObservableCallback(observe, [lag, events]);
}
