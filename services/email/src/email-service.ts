import { JobService, type JobServiceOptions } from 'jobrail';
import type { EmailConfig } from './config.js';
import { emailModule } from './email-module.js';
import type { Mailer } from './mailer.js';
import { SendEmailHandler } from './send-email.js';

/**
 * The service as it is put together, not yet started.
 * @param mailer closed by the caller, after the service has stopped.
 * @param overrides further options of the service, such as a log.
 * @throws TemplateError, StorageError.
 */
export function emailService(
  config: EmailConfig,
  mailer: Mailer,
  overrides: Partial<JobServiceOptions> = {},
): JobService {
  return new JobService({
    name: 'email',
    url: config.amqpUrl,
    prefix: config.prefix,
    handlers: [SendEmailHandler],
    modules: [emailModule(config, mailer)],
    queues: { email: { concurrency: config.concurrency } },
    health: config.healthPort === undefined ? undefined : { port: config.healthPort },
    ...overrides,
  });
}
