import 'reflect-metadata';
import { startTelemetry } from 'jobrail/telemetry';
import { readConfig } from './config.js';
import { openReports } from './reports-module.js';
import { reportsService } from './reports-service.js';

const config = readConfig(process.env);
const reports = await openReports(config);
const telemetry = startTelemetry({ service: 'reports' });
try {
  await reportsService(config, reports).run();
} finally {
  await reports.close();
  await telemetry.shutdown();
}
