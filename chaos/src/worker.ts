/** A process that works off the jobs of the workload. Started by the crew with its settings as JSON. */
import { ContainerModule } from 'inversify';
import { JobService } from 'jobrail';
import { pino } from 'pino';
import { PoisonHandler, WorkHandler } from './handlers.js';
import { Ledger } from './ledger.js';
import { closeChannelToCrew, followCrew, readSettings, tellCrew } from './member-channel.js';

export interface WorkerSettings {
  name: string;
  url: string[];
  prefix: string;
  ledger: string;
  concurrency: number;
  prefetch: number;
  /** Milliseconds the event loop may stand still. */
  watchdogMs: number;
}

const settings = readSettings<WorkerSettings>();
const ledger = new Ledger(settings.ledger);
const { concurrency, prefetch } = settings;
const service = new JobService({
  name: settings.name,
  url: settings.url,
  prefix: settings.prefix,
  handlers: [WorkHandler, PoisonHandler],
  modules: [new ContainerModule(({ bind }) => void bind(Ledger).toConstantValue(ledger))],
  queues: { work: { concurrency, prefetch } },
  watchdog: `${settings.watchdogMs}ms`,
  log: pino({ name: settings.name, level: 'warn' }, pino.destination({ dest: 2, sync: true })),
});

followCrew({});
const running = service.run();
const watch = setInterval(() => {
  if (service.state !== 'running') return;
  clearInterval(watch);
  tellCrew('ready');
}, 10);
await running.finally(() => clearInterval(watch));
closeChannelToCrew();
