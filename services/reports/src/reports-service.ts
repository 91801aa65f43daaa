import { JobService, type JobServiceOptions } from 'jobrail';
import { BuildReportHandler } from './build-report.js';
import type { ReportsConfig } from './config.js';
import type { OpenedReports } from './reports-module.js';

/**
 * The service as it is put together, not yet started.
 * @param reports closed by the caller, after the service has stopped.
 * @param overrides further options of the service, such as a log.
 */
export function reportsService(
  config: ReportsConfig,
  reports: OpenedReports,
  overrides: Partial<JobServiceOptions> = {},
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
    ...overrides,
  });
}
