import 'reflect-metadata';
import { JobService } from 'jobrail';
import { startTelemetry } from 'jobrail/telemetry';
import { readConfig } from './config.js';
import { emailModule } from './email-module.js';
import { Mailer } from './mailer.js';
import { SendEmailHandler } from './send-email.js';

const config = readConfig(process.env);
const telemetry = startTelemetry({ service: 'email' });
const mailer = new Mailer({ smtpUrl: config.smtpUrl, from: config.from, connections: config.concurrency });

const service = new JobService({
  name: 'email',
  url: config.amqpUrl,
  prefix: config.prefix,
  handlers: [SendEmailHandler],
  modules: [emailModule(config, mailer)],
  queues: { email: { concurrency: config.concurrency } },
  health: config.healthPort === undefined ? undefined : { port: config.healthPort },
});

try {
  await service.run();
} finally {
  mailer.close();
  await telemetry.shutdown();
}
