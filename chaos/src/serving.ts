import { type Filter, JobService, type JobServiceOptions } from 'jobrail';
import { pino } from 'pino';
import { closeChannelToCrew, followCrew, type MemberSettings, tellCrew } from './member-channel.js';

export interface WorkerSettings extends MemberSettings {
  concurrency: number;
  prefetch: number;
  /** Milliseconds the event loop may stand still. */
  watchdogMs: number;
}

/** Runs a service on the queue of the workload until the crew ends it. */
export async function serve(
  { name, url, prefix, concurrency, prefetch, watchdogMs }: WorkerSettings,
  { filter, ...options }: Pick<JobServiceOptions, 'handlers' | 'modules' | 'store'> & { filter?: Filter },
): Promise<void> {
  const service = new JobService({
    ...options,
    name,
    url,
    prefix,
    queues: { work: { concurrency, prefetch } },
    watchdog: `${watchdogMs}ms`,
    log: pino({ name, level: 'warn' }, pino.destination({ dest: 2, sync: true })),
  });
  if (filter) service.use(filter);
  followCrew({});
  const running = service.run();
  const watch = setInterval(() => {
    if (service.state !== 'running') return;
    clearInterval(watch);
    tellCrew('ready');
  }, 10);
  await running.finally(() => clearInterval(watch));
  closeChannelToCrew();
}
