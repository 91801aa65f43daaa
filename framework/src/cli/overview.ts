import type { Command } from 'commander';
import { type Session, type QueueReport, command, type SessionOptions, withSession } from './session.js';
import { ago, counted, print, printable, printAll, printJson, span, table } from './terminal.js';

const withoutMonitor =
  'No monitor is named (--monitor, JOBRAIL_MONITOR_URL): what runs, failed or was done before is not known here.';

/** `jobrail status` and `jobrail queues`. */
export function overviewCommands(): Command[] {
  const status = command(
    'status',
    'services, queues, dead letters and alerts at a glance',
    'jobrail status\njobrail status --monitor http://127.0.0.1:8090 --json',
  ).action((options: SessionOptions) => withSession(options, showStatus));
  const queues = command(
    'queues',
    'jobs that wait, consumers and dead letters of each queue',
    'jobrail queues\njobrail queues --json | jq .',
  ).action((options: SessionOptions) => withSession(options, showQueues));
  return [status, queues];
}

async function showStatus(session: Session): Promise<void> {
  const [queues, broker] = [await session.queueReports(), await session.broker()];
  const { monitor } = session;
  const [workers, alerts, projection] = monitor
    ? await Promise.all([monitor.workers(), monitor.alerts(), monitor.projection()])
    : [undefined, undefined, undefined];
  const open = alerts?.filter(({ resolvedAt }) => resolvedAt === undefined);
  if (session.json) {
    return printJson({ broker: broker.info, queues, workers, alerts: open, projection });
  }
  print(`broker    ${broker.info?.product} ${broker.info?.version}, prefix ${session.prefix}`);
  const sum = (count: (queue: QueueReport) => number) => queues.reduce((all, queue) => all + count(queue), 0);
  const paused = queues.filter((queue) => queue.paused).length;
  print(
    `queues    ${queues.length}, ${counted(
      sum(({ waiting }) => waiting),
      'job',
    )} waiting, ${counted(
      sum(({ dead }) => dead),
      'dead letter',
    )}` + (paused > 0 ? `, ${paused} paused` : ''),
  );
  if (workers) {
    const here = workers.filter(({ gone }) => !gone);
    print(
      `services  ${counted(here.length, 'process')} of ${counted(new Set(here.map(({ service }) => service)).size, 'service')}`,
    );
  }
  if (projection) {
    const lag = projection.lagMs === undefined ? 'unknown' : span(projection.lagMs);
    print(
      `monitor   ${projection.jobs} jobs recorded, ${lag} behind${projection.rebuilding ? ', rebuilding' : ''}`,
    );
  }
  for (const alert of open ?? []) printAll(table([{ title: 'alert' }], [[alert.text]]).slice(1).map((line) => `alert     ${line}`)); // prettier-ignore
  print();
  printQueues(queues, session.prefix);
  if (!monitor) print(`\n${withoutMonitor}`);
}

async function showQueues(session: Session): Promise<void> {
  const queues = await session.queueReports();
  const records = new Map((await session.monitor?.queues())?.map((queue) => [queue.queue, queue]) ?? []);
  const merged = queues.map((queue) => ({ ...queue, ...records.get(queue.queue) }));
  if (session.json) return printJson(merged);
  printQueues(queues, session.prefix);
  if (records.size === 0) return;
  print();
  const states = ['scheduled', 'processing', 'retrying', 'completed', 'dead', 'cancelled', 'expired'];
  printAll(
    table(
      [{ title: 'queue', gives: true }, ...states.map((title) => ({ title, right: true })), { title: 'oldest waits', right: true }], // prettier-ignore
      [...records.values()].map(({ queue, states: counts, oldestWaitingAt }) => [
        queue,
        ...states.map((state) => String(counts[state] ?? 0)),
        oldestWaitingAt === undefined ? '' : ago(oldestWaitingAt),
      ]),
    ),
  );
}

function printQueues(queues: readonly QueueReport[], prefix: string): void {
  if (queues.length > 0) printAll(queueTable(queues));
  else print(`No service was ever started under the prefix "${printable(prefix)}".`);
}

export function queueTable(queues: readonly QueueReport[]): string[] {
  return table(
    [
      { title: 'queue', gives: true },
      { title: 'waiting', right: true },
      { title: 'by priority, 0 first' },
      { title: 'consumers', right: true },
      { title: 'suspects', right: true },
      { title: 'dead', right: true },
      { title: 'state' },
    ],
    queues.map(({ queue, waiting, lanes, consumers, suspects, dead, paused }) => [
      queue,
      String(waiting),
      lanes.length > 1 ? lanes.map(({ messages }) => messages).join(' ') : '',
      String(consumers),
      String(suspects),
      String(dead),
      paused
        ? `paused by ${paused.by} ${ago(paused.at)}`
        : consumers === 0
          ? 'nobody consumes it'
          : 'running',
    ]),
  );
}
