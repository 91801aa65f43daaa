/**
 * All four services in this process, put together as each of them does it for itself, but on a broker in memory. For
 * machines where no RabbitMQ can be had.
 */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createApp, HttpServer, readConfig as readApiConfig } from '@jobrail/api';
import { emailService, Mailer, readConfig as readEmailConfig } from '@jobrail/email';
import { mediaService, readConfig as readMediaConfig } from '@jobrail/media';
import { openReports, readConfig as readReportsConfig, reportsService } from '@jobrail/reports';
import { openStorage } from '@jobrail/storage';
import { JobClient } from 'jobrail';
import { startTelemetry } from 'jobrail/telemetry';
import { pino } from 'pino';
/** @import { JobService } from 'jobrail' */
/** @import { MemoryBroker } from 'jobrail/testing' */
/** @import { Services } from './service-processes.mjs' */
/** @import { ServiceSettings } from './service-settings.mjs' */

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
  const parts = (/** @type {string} */ name) => ({
    log: pino({ name, level: 'debug' }, { write }),
    broker: connect(),
  });
  Object.assign(process.env, settings.api); // The SDK reads the process's own environment only.
  const telemetry = startTelemetry({ service: 'demo' });
  const hosted = [
    await hostEmail(settings.email, parts('email')),
    await hostMedia(settings.media, parts('media')),
    await hostReports(settings.reports, parts('reports')),
  ];
  const api = await hostApi(settings.api, parts('api'));
  return {
    port: api.port,
    async close() {
      await api.close();
      await Promise.all(hosted.map((close) => close()));
      await telemetry.shutdown();
      file.end();
    },
  };
}

/** @typedef {{ log: import('pino').Logger, broker: MemoryBroker }} Parts */

/** @param {NodeJS.ProcessEnv} env @param {Parts} parts */
async function hostEmail(env, parts) {
  const config = readEmailConfig(env);
  const mailer = new Mailer({ smtpUrl: config.smtpUrl, from: config.from, connections: config.concurrency });
  return host(emailService(config, mailer, parts), parts, () => mailer.close());
}

/** @param {NodeJS.ProcessEnv} env @param {Parts} parts */
async function hostMedia(env, parts) {
  return host(await mediaService(readMediaConfig(env), parts), parts, () => undefined);
}

/** @param {NodeJS.ProcessEnv} env @param {Parts} parts */
async function hostReports(env, parts) {
  const config = readReportsConfig(env);
  const reports = await openReports(config);
  return host(reportsService(config, reports, parts), parts, () => reports.close());
}

/**
 * Starts a service; what it returns ends it and closes what it used.
 *
 * @param {JobService} service
 * @param {Parts} parts
 * @param {() => void | Promise<void>} close
 */
async function host(service, { broker }, close) {
  await service.start();
  return async () => {
    await service.stop();
    await close();
    await broker.close();
  };
}

/** @param {NodeJS.ProcessEnv} env @param {Parts} parts */
async function hostApi(env, { log, broker }) {
  const config = readApiConfig(env);
  const client = new JobClient({ broker, prefix: config.prefix, name: 'api' });
  const server = new HttpServer(createApp({ client, storage: openStorage(config.storageUrl), config, log }));
  const port = await server.listen(config.port, config.host);
  await client.connect();
  return {
    port,
    async close() {
      await server.stop(config.gracePeriodMs);
      await broker.close();
    },
  };
}
