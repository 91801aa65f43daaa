import 'reflect-metadata';
import { JobService } from 'jobrail';
import { startTelemetry } from 'jobrail/telemetry';
import { BuildReportHandler } from './build-report.js';
import { readConfig } from './config.js';
import { openReports } from './reports-module.js';

const config = readConfig(process.env);
const reports = await openReports(config);
const telemetry = startTelemetry({ service: 'reports' });

const service = new JobService({
  name: 'reports',
  url: config.amqpUrl,
  prefix: config.prefix,
  handlers: [BuildReportHandler],
  modules: [reports.module],
  queues: { reports: { concurrency: config.concurrency, prefetch: config.concurrency } },
  health: config.healthPort === undefined ? undefined : { port: config.healthPort },
});

try {
  await service.run();
} finally {
  await reports.close();
  await telemetry.shutdown();
}
