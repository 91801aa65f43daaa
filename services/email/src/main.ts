import 'reflect-metadata';
import { startTelemetry } from 'jobrail/telemetry';
import { readConfig } from './config.js';
import { emailService } from './email-service.js';
import { Mailer } from './mailer.js';

const config = readConfig(process.env);
const telemetry = startTelemetry({ service: 'email' });
const mailer = new Mailer({ smtpUrl: config.smtpUrl, from: config.from, connections: config.concurrency });
try {
  await emailService(config, mailer).run();
} finally {
  mailer.close();
  await telemetry.shutdown();
}
