import { JobService, type JobServiceOptions } from 'jobrail';
import { BuildReportHandler } from './build-report.js';
import type { ReportsConfig } from './config.js';
import type { OpenedReports } from './reports-module.js';

/** The service as it is put together, not yet started. */
export function reportsService(
  config: ReportsConfig,
  reports: OpenedReports,
  options: Pick<JobServiceOptions, 'gracePeriod' | 'log'> = {},
): JobService {
  const { amqpUrl, prefix, concurrency, healthPort } = config;
  return new JobService({
    name: 'reports',
    url: amqpUrl,
    prefix,
    handlers: [BuildReportHandler],
    modules: [reports.module],
    // Reports take long: one that a busy process held in advance could be built by an idle one.
    queues: { reports: { concurrency, prefetch: concurrency } },
    ...(healthPort !== undefined && { health: { port: healthPort } }),
    ...options,
  });
}
