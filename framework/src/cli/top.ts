import type { Command } from 'commander';
import { systemClock, pause } from '../base/clock.js';
import type { EventSender, HeartbeatEvent, RailEvent } from '../model/event.js';
import { followEvents } from './event-reading.js';
import { exitCode, Failure } from './exit.js';
import { queueTable } from './overview.js';
import { command, type QueueReport, type Session, type SessionOptions, withSession } from './session.js';
import { print, printableJson, span, table } from './terminal.js';
import { untilInterrupted } from './until-interrupted.js';

interface TopFlags extends SessionOptions {
  interval: string;
  once?: boolean;
}

/** A process that told of itself. */
interface Heard {
  from: EventSender;
  beat: HeartbeatEvent;
  heardAt: number;
}

const silentMs = 30_000;
const sorts = ['enqueued', 'completed', 'retried', 'dead'] as const;

/** `jobrail top`: queues and processes, drawn again every second. */
export function topCommand(): Command {
  return command('top', 'queues, processes and rates, live', 'jobrail top\njobrail top --interval 5 --json')
    .option('--interval <seconds>', 'between two pictures', '1')
    .option('--once', 'one picture, after one interval')
    .action((flags: TopFlags) =>
      withSession(flags, async (session) => {
        const seconds = Number(flags.interval);
        if (!(seconds >= 0.1 && seconds <= 3_600)) {
          throw new Failure(exitCode.usage, `--interval is "${flags.interval}". Give seconds, 0.1 to 3600.`);
        }
        await watch(session, seconds * 1_000, flags.once ?? false);
      }),
    );
}

async function watch(session: Session, everyMs: number, once: boolean): Promise<void> {
  const counts = new Map<string, number>();
  const heard = new Map<string, Heard>();
  const reading = await followEvents(session, (event: RailEvent, from) => {
    counts.set(event.kind, (counts.get(event.kind) ?? 0) + 1);
    if (event.kind === 'heartbeat') heard.set(from.instance, { from, beat: event, heardAt: Date.now() });
  });
  const over = new AbortController();
  const screen = process.stdout.isTTY && !session.json && !once;
  const interrupted = untilInterrupted().then(() => over.abort());
  if (screen) process.stdout.write('\x1b[?1049h\x1b[?25l');
  try {
    for (let frame = 0; !over.signal.aborted && !(once && frame > 0); frame++) {
      const before = Date.now();
      await pause(systemClock, everyMs, over.signal);
      if (over.signal.aborted) break;
      const seconds = (Date.now() - before) / 1_000;
      const rates = Object.fromEntries(sorts.map((kind) => [kind, (counts.get(kind) ?? 0) / seconds]));
      counts.clear();
      for (const [instance, { heardAt }] of heard)
        if (Date.now() - heardAt > silentMs) heard.delete(instance);
      draw({ session, screen, queues: await session.queueReports(), rates, heard: [...heard.values()] });
    }
  } finally {
    if (screen) process.stdout.write('\x1b[?25h\x1b[?1049l');
    await reading.close();
    if (over.signal.aborted) await interrupted;
  }
}

interface Picture {
  session: Session;
  screen: boolean;
  queues: QueueReport[];
  rates: Record<string, number>;
  heard: Heard[];
}

function draw({ session, screen, queues, rates, heard }: Picture): void {
  if (session.json) {
    const processes = heard.map(({ from, beat }) => ({ ...from, ...beat }));
    return print(printableJson({ at: Date.now(), rates, queues, processes }).replace(/\n\s*/g, ' '));
  }
  const lines = [
    `jobrail top  ${new Date().toISOString().slice(11, 19)} UTC  prefix ${session.prefix}`,
    sorts.map((kind) => `${kind} ${rates[kind]!.toFixed(1)}/s`).join('   '),
    '',
    ...queueTable(queues),
    '',
    ...(heard.length > 0
      ? processTable(heard)
      : ['No process has told of itself yet; each does every few seconds.']),
  ];
  if (!screen) return print(lines.join('\n'));
  const rows = process.stdout.rows ?? 24;
  const shown =
    lines.length < rows ? lines : [...lines.slice(0, rows - 2), `… ${lines.length - rows + 2} lines more`];
  process.stdout.write(`\x1b[H${shown.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`);
}

function processTable(heard: readonly Heard[]): string[] {
  const sorted = [...heard].sort(
    (a, b) => a.from.service.localeCompare(b.from.service) || a.from.pid - b.from.pid,
  );
  return table(
    [
      { title: 'service' },
      { title: 'process', gives: true },
      { title: 'state' },
      { title: 'busy', right: true },
      { title: 'in hand', right: true },
      { title: 'prefetch', right: true },
      { title: 'lag', right: true },
      { title: 'memory', right: true },
      { title: 'up', right: true },
    ],
    sorted.map(({ from, beat }) => {
      const sum = (field: 'running' | 'concurrency' | 'held' | 'prefetch') =>
        beat.queues.reduce((all, queue) => all + queue[field], 0);
      return [
        from.service,
        `${from.host}:${from.pid}`,
        beat.state,
        `${sum('running')}/${sum('concurrency')}`,
        String(sum('held')),
        String(sum('prefetch')),
        `${beat.eventLoopLagMs.toFixed(0)} ms`,
        `${Math.round(beat.rssBytes / 2 ** 20)} MB`,
        span(Math.max(0, beat.at - beat.startedAt)),
      ];
    }),
  );
}
