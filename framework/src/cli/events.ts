import type { Command } from 'commander';
import type { EventSender, RailEvent } from '../model/event.js';
import { followEvents, readAllEvents } from './event-reading.js';
import { exitCode } from './exit.js';
import { stamp, stepText } from './job-story.js';
import type { MonitorStep } from './monitor-client.js';
import { command, type SessionOptions, withSession } from './session.js';
import { cutTo, print, printable, printableJson, Progress, screenWidth } from './terminal.js';
import { untilInterrupted } from './until-interrupted.js';

interface EventFlags extends SessionOptions {
  follow?: boolean;
  job?: string;
  contract?: string;
  queue?: string;
  service?: string;
  kind?: string;
}

/** `jobrail events` */
export function eventsCommand(): Command {
  return command(
    'events',
    'the steps of jobs, from the event stream; with --follow as they happen',
    `jobrail events --follow --contract email.send
jobrail events --job 01983c1e-0000-7000-8000-000000000000
jobrail events --follow --kind dead,retried --json`,
  )
    .option('--follow', 'from now on, until interrupted')
    .option('--job <id>', 'only of this job')
    .option('--contract <name>', 'only of this contract')
    .option('--queue <name>', 'only of this queue')
    .option('--service <name>', 'only told by this service')
    .option(
      '--kind <kinds>',
      'only these, separated by commas: enqueued, started, completed, retried, dead, control …',
    )
    .action((flags: EventFlags) =>
      withSession(flags, async (session) => {
        let seen = 0;
        const show = (step: MonitorStep) =>
          print(flags.json ? printableJson(step).replace(/\n\s*/g, ' ') : line(step));
        const ofJob: MonitorStep[] = [];
        const visit = (event: RailEvent, from: EventSender) => {
          if (!fits(event, from, flags)) return;
          seen++;
          const step = { ...event, service: from.service, host: from.host } as unknown as MonitorStep;
          if (flags.job !== undefined && !flags.follow) ofJob.push(step);
          else show(step);
        };
        if (flags.follow) {
          const reading = await followEvents(session, visit);
          await untilInterrupted();
          await reading.close();
        } else {
          const progress = flags.job === undefined ? undefined : new Progress('events read:', undefined);
          await readAllEvents(session, visit, progress);
          // Services send their batches when they like: of one job, time tells more than the place in the stream. That it
          // is enqueued is told when the broker has confirmed it, which may be after it has run.
          const time = ({ kind, at }: MonitorStep) => (kind === 'enqueued' ? 0 : at);
          ofJob.sort((a, b) => time(a) - time(b)).forEach(show);
          if (seen > 0) return;
          process.stderr.write('The event stream has no such event; it keeps events for some days only.\n');
          process.exitCode = exitCode.unknown;
        }
      }),
    );
}

function line(step: MonitorStep): string {
  const { job, contract, action, subject } = step as Partial<Record<string, unknown>>;
  const about = job === undefined ? [action, subject] : [job, contract];
  const text = [
    stamp(step.at),
    step.kind.padEnd(9),
    ...about.filter(Boolean).map(String),
    stepText(step),
  ].join('  ');
  return cutTo(printable(text), process.stdout.isTTY ? screenWidth() : 10_000);
}

function fits(
  event: RailEvent,
  from: EventSender,
  { job, contract, queue, service, kind }: EventFlags,
): boolean {
  const fields = event as unknown as Record<string, unknown>;
  return (
    (job === undefined || fields['job'] === job || fields['subject'] === job) &&
    (contract === undefined || fields['contract'] === contract) &&
    (queue === undefined || fields['queue'] === queue || fields['subject'] === queue) &&
    (service === undefined || from.service === service) &&
    (kind === undefined
      ? event.kind !== 'heartbeat' || service !== undefined
      : kind.split(',').includes(event.kind))
  );
}
