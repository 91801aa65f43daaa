import { openStorage } from '@jobrail/storage';
import { JobClient } from 'jobrail';
import { startTelemetry } from 'jobrail/telemetry';
import { pino } from 'pino';
import { createApp } from './app.js';
import { readConfig } from './config.js';
import { HttpServer } from './http-server.js';

const config = readConfig(process.env);
const log = pino({ name: 'api', level: config.logLevel });
const storage = openStorage(config.storageUrl);
const telemetry = startTelemetry({ service: 'api' });
const client = new JobClient({
  url: config.amqpUrl,
  prefix: config.prefix,
  name: 'api',
  connectTimeout: config.publishTimeout,
  publishTimeout: config.publishTimeout,
});
const server = new HttpServer(createApp({ client, storage, config, log }));

let signals = 0;
const asked = new Promise<NodeJS.Signals>((resolve) => {
  const onSignal = (signal: NodeJS.Signals) => {
    if (++signals > 1) process.exit(1);
    resolve(signal);
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
});

const port = await server.listen(config.port, config.host);
log.info({ host: config.host, port }, 'listening');
// Requests may come before the broker does: they are answered 503, and the client goes on trying.
client.connect().catch((err: unknown) => log.warn({ err }, 'the broker cannot be reached yet'));

const signal = await asked;
const stopped = server.stop(config.gracePeriodMs);
log.info({ signal }, 'stopping; a second signal ends at once');
await stopped;
await client.close();
await telemetry.shutdown();
log.info('stopped');
