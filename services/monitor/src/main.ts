import 'reflect-metadata';
import { startTelemetry } from 'jobrail/telemetry';
import { pino } from 'pino';
import { isLoopback, readConfig } from './config.js';
import { Monitor } from './monitor.js';

const config = readConfig(process.env);
const log = pino({ name: 'monitor', level: config.logLevel });
const telemetry = startTelemetry({ service: 'monitor' });

let signals = 0;
const asked = new Promise<NodeJS.Signals>((resolve) => {
  const onSignal = (signal: NodeJS.Signals) => {
    if (++signals > 1) process.exit(1);
    resolve(signal);
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
});

const monitor = await Monitor.start({ config, log, version: '0.1.0' });
const port = await monitor.listen();
log.info({ host: config.host, port }, 'listening');
if (config.token === undefined && !isLoopback(config.host)) {
  log.warn({ host: config.host }, 'anybody who reaches this address can read all jobs: set MONITOR_TOKEN');
}
const signal = await asked;
log.info({ signal }, 'stopping; a second signal ends at once');
await monitor.stop();
await telemetry.shutdown();
log.info('stopped');
