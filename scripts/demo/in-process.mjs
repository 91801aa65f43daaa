/**
 * All four services in this process, each put together as its own `main` does it, but on a broker in memory. For
 * machines where no RabbitMQ can be had.
 */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { openStorage } from '@jobrail/storage';
import { JobClient, JobService } from 'jobrail';
import { startTelemetry } from 'jobrail/telemetry';
import { pino } from 'pino';
import { createApp } from '../../services/api/dist/src/app.js';
import { readConfig as readApiConfig } from '../../services/api/dist/src/config.js';
import { HttpServer } from '../../services/api/dist/src/http-server.js';
import { readConfig as readEmailConfig } from '../../services/email/dist/src/config.js';
import { emailModule } from '../../services/email/dist/src/email-module.js';
import { Mailer } from '../../services/email/dist/src/mailer.js';
import { SendEmailHandler } from '../../services/email/dist/src/send-email.js';
import { readConfig as readMediaConfig } from '../../services/media/dist/src/config.js';
import { mediaService } from '../../services/media/dist/src/media-service.js';
import { BuildReportHandler } from '../../services/reports/dist/src/build-report.js';
import { readConfig as readReportsConfig } from '../../services/reports/dist/src/config.js';
import { openReports } from '../../services/reports/dist/src/reports-module.js';
/** @import { MemoryBroker } from 'jobrail/testing' */
/** @import { ServiceSettings } from './service-settings.mjs' */
/** @import { Services } from './service-processes.mjs' */

/**
 * @param {object} options
 * @param {ServiceSettings} options.settings
 * @param {() => MemoryBroker} options.connect
 * @param {string} options.logFolder
 * @param {(line: string) => void} options.onLine Told each line of their logs.
 * @returns {Promise<Services>}
 */
export async function startInProcess({ settings, connect, logFolder, onLine }) {
  const file = createWriteStream(join(logFolder, 'services.log'));
  const write = (/** @type {string} */ line) => {
    file.write(line);
    onLine(line);
  };
  const logOf = (/** @type {string} */ name) => pino({ name, level: 'debug' }, { write });
  const common = (/** @type {string} */ name) => ({ log: logOf(name), broker: connect() });
  Object.assign(process.env, settings.api); // The SDK reads the process's own environment only.
  const telemetry = startTelemetry({ service: 'demo' });

  const services = [
    await email(settings.email, common('email')),
    await media(settings.media, common('media')),
    await reports(settings.reports, common('reports')),
  ];
  for (const { service } of services) await service.start();
  const api = await listen(settings.api, common('api'));
  return {
    port: api.port,
    async close() {
      await api.close();
      for (const { service, close } of services) {
        await service.stop();
        await close();
      }
      await telemetry.shutdown();
      file.end();
    },
  };
}

/**
 * @typedef {{ log: import('pino').Logger, broker: MemoryBroker }} Common
 * @typedef {{ service: JobService, close: () => Promise<void> }} Hosted
 */

/** @param {NodeJS.ProcessEnv} env @param {Common} common @returns {Promise<Hosted>} */
async function email(env, common) {
  const config = readEmailConfig(env);
  const { smtpUrl, from, concurrency, prefix } = config;
  const mailer = new Mailer({ smtpUrl, from, connections: concurrency });
  const service = new JobService({
    ...common,
    name: 'email',
    prefix,
    handlers: [SendEmailHandler],
    modules: [emailModule(config, mailer)],
    queues: { email: { concurrency } },
  });
  return closingBroker(service, common, async () => mailer.close());
}

/** @param {NodeJS.ProcessEnv} env @param {Common} common @returns {Promise<Hosted>} */
async function media(env, common) {
  return closingBroker(await mediaService(readMediaConfig(env), common), common);
}

/** @param {NodeJS.ProcessEnv} env @param {Common} common @returns {Promise<Hosted>} */
async function reports(env, common) {
  const config = readReportsConfig(env);
  const { prefix, concurrency } = config;
  const opened = await openReports(config);
  const service = new JobService({
    ...common,
    name: 'reports',
    prefix,
    handlers: [BuildReportHandler],
    modules: [opened.module],
    queues: { reports: { concurrency, prefetch: concurrency } },
  });
  return closingBroker(service, common, () => opened.close());
}

/** @param {NodeJS.ProcessEnv} env @param {Common} common */
async function listen(env, { log, broker }) {
  const config = readApiConfig(env);
  const client = new JobClient({ broker, prefix: config.prefix, name: 'api' });
  const storage = openStorage(config.storageUrl);
  const server = new HttpServer(createApp({ client, storage, config, log }));
  const port = await server.listen(config.port, config.host);
  await client.connect();
  return {
    port,
    async close() {
      await server.stop(1_000);
      await broker.close();
    },
  };
}

/**
 * @param {JobService} service
 * @param {Common} common
 * @param {() => Promise<void>} close
 * @returns {Hosted}
 */
function closingBroker(service, { broker }, close = async () => undefined) {
  return {
    service,
    async close() {
      await close();
      await broker.close();
    },
  };
}
