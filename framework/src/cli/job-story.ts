import type { DeadLetter } from '../model/dead-letter.js';
import { letterLines, stackLines } from './letter-view.js';
import type { MonitorJob, MonitorStep } from './monitor-client.js';
import type { QueueReport } from './session.js';
import { ago, counted, printable, span, when } from './terminal.js';

/** What happened to a job, for people: a headline, the facts, and the commands to run next. */
export interface JobStory {
  state: string;
  headline: string;
  lines: string[];
  next: string[];
}

/** What is known besides the record of the job. */
export interface Surroundings {
  /** Its queue, as it stands on the broker. */
  queue?: QueueReport | undefined;
  /** It was cancelled. */
  cancel?: { at: number; by: string; reason?: string | undefined } | undefined;
  now: number;
}

/** The story of a job that the monitor knows. */
export function jobStory(job: MonitorJob, around: Surroundings): JobStory {
  const { headline, next } = heads[job.state]?.(job, around) ?? { headline: `is ${job.state}`, next: [] };
  return {
    state: job.state,
    headline: printable(headline),
    lines: [...facts(job, around.now), ...history(job)],
    next: next.map(printable),
  };
}

type Head = { headline: string; next: string[] };

const heads: Record<string, (job: MonitorJob, around: Surroundings) => Head> = {
  pending: waiting,
  scheduled: (job, around) =>
    around.cancel
      ? cancelledSoon(job, around)
      : {
          headline: `is scheduled: it is to start ${when(job.nextAt ?? job.dueAt, around.now)}`,
          next: [`jobrail cancel ${job.id}`],
        },
  processing: (job, { now }) => ({
    headline:
      `runs: attempt ${job.attempts} began ${when(job.startedAt, now)} on ${place(job)}` +
      (job.progress === undefined
        ? ''
        : `, ${Math.round(job.progress * 100)} % done${job.note ? ` (${job.note})` : ''}`),
    next: [`jobrail events --follow --job ${job.id}`, `jobrail cancel ${job.id}`],
  }),
  retrying: (job, around) =>
    around.cancel
      ? cancelledSoon(job, around)
      : {
          headline: `will be tried again ${when(job.nextAt, around.now)}: attempt ${job.attempts} failed on ${place(job)}, ${failure(job)}`,
          next: [`jobrail events --follow --job ${job.id}`, `jobrail cancel ${job.id}`],
        },
  completed: (job, { now }) => ({
    headline: `is completed: attempt ${job.attempts} ended ${when(job.endedAt, now)} on ${place(job)}${took(job)}`,
    next: (job.children ?? []).length > 0 ? [`jobrail jobs search root:${job.rootId ?? job.id}`] : [],
  }),
  dead: (job, { now }) => ({
    headline: `is dead since ${when(job.endedAt, now)}: ${job.reason ?? 'given up'} after ${counted(job.attempts, 'attempt')}, ${failure(job)}`,
    next: [
      `jobrail dead show ${job.id}`,
      `jobrail dead retry ${job.id}`,
      ...(job.error ? [`jobrail dead retry --fingerprint ${job.error.fingerprint} --dry-run`] : []),
    ],
  }),
  discarded: (job, { now }) => ({
    headline: `was discarded by its handler ${when(job.endedAt, now)} on ${place(job)}: ${job.reason ?? 'no reason given'}`,
    next: [`jobrail enqueue ${job.contract} '<payload>'`],
  }),
  cancelled: (job, { now }) => ({
    headline: `was cancelled ${job.attempts === 0 ? 'before its first attempt' : `after ${counted(job.attempts, 'attempt')}`}, and ended ${when(job.endedAt, now)}${job.reason === undefined ? '' : `: ${job.reason}`}`,
    next: [`jobrail enqueue ${job.contract} '<payload>'`],
  }),
  expired: (job, { now }) => ({
    headline: `expired before it started: it was to start until ${when(job.expiresAt, now)}`,
    next: [`jobrail queues`, `jobrail enqueue ${job.contract} '<payload>'`],
  }),
};

function waiting(job: MonitorJob, around: Surroundings): Head {
  const { queue, cancel, now } = around;
  if (cancel) return cancelledSoon(job, around);
  const since = `waits on queue ${job.queue} since ${when(job.updatedAt, now)}`;
  if (queue?.paused) {
    return {
      headline: `${since}: the queue was paused by ${queue.paused.by} ${ago(queue.paused.at, now)}`,
      next: [`jobrail resume ${job.queue}`],
    };
  }
  if (queue?.consumers === 0) {
    const who =
      queue.services.length > 0
        ? `start ${queue.services.join(' or ')}`
        : 'start the service that handles it';
    return {
      headline: `${since}: nobody consumes the queue; ${who}`,
      next: ['jobrail doctor', 'jobrail queues'],
    };
  }
  const others = queue
    ? `, ${counted(queue.waiting, 'job')} wait there for ${counted(queue.consumers, 'consumer')}`
    : '';
  return { headline: `${since}${others}`, next: ['jobrail top', `jobrail cancel ${job.id}`] };
}

function cancelledSoon(job: MonitorJob, { cancel, now }: Surroundings): Head {
  return {
    headline: `was cancelled by ${cancel!.by} ${ago(cancel!.at, now)}${cancel!.reason ? `: ${cancel!.reason}` : ''}; it ends as soon as it reaches a worker`,
    next: [`jobrail events --follow --job ${job.id}`],
  };
}

/** The story of a dead letter, where no monitor knows more. */
export function letterStory(letter: DeadLetter, now: number): JobStory {
  return {
    state: 'dead',
    headline: printable(`is dead since ${when(letter.deadAt, now)}: ${letter.reason}`),
    lines: letterLines(letter),
    next: [`jobrail dead retry ${letter.id}`, `jobrail dead retry --fingerprint ${letter.fingerprint} --dry-run`].map(printable), // prettier-ignore
  };
}

/** The story of a job that nobody knows. */
export function unknownStory(
  id: string,
  { cancel, now, monitor }: Surroundings & { monitor: boolean },
): JobStory {
  const shown = printable(id);
  if (cancel) {
    const reason = cancel.reason === undefined ? '' : `: ${cancel.reason}`;
    return {
      state: 'cancelled',
      headline: printable(`was cancelled by ${cancel.by} ${ago(cancel.at, now)}${reason}`),
      lines: ['Whether it had ended before cannot be known without a record of it.'],
      next: [`jobrail events --job ${shown}`],
    };
  }
  return {
    state: 'unknown',
    headline: monitor
      ? 'is not known'
      : 'is not known: the event stream has nothing of it, and it is not among the dead letters',
    lines: monitor
      ? [
          'It was never enqueued under this prefix, is not recorded yet (a second or so), or is no longer kept.',
          'An id that was copied may have lost a character: it is a UUID of 36, where the producer gave none of its own.',
        ]
      : [
          'It was never enqueued under this prefix, or more than the days ago that the stream keeps events, or by a',
          'program that tells no events. Whether it waits in a queue cannot be known: a queue cannot be searched.',
        ],
    next: monitor
      ? ['jobrail jobs search <what you know of it>', 'jobrail doctor']
      : [`jobrail job ${shown} --monitor <url>`, 'jobrail status'],
  };
}

function facts(job: MonitorJob, now: number): string[] {
  const {
    contract,
    queue,
    priority = 0,
    enqueuedAt,
    producer,
    attempts,
    replays,
    traceId,
    causationId,
    payload,
  } = job;
  const rows: [string, string | undefined][] = [
    ['contract', `${contract} on queue ${queue}${priority > 0 ? `, priority ${priority}` : ''}`],
    [
      'enqueued',
      enqueuedAt === undefined ? undefined : `${when(enqueuedAt, now)}${producer ? ` by ${producer}` : ''}`,
    ],
    ['parent', causationId],
    [
      'attempts',
      `${attempts}${replays > 0 ? `, sent again from the dead letters ${counted(replays, 'time')}` : ''}`,
    ],
    ['trace', traceId],
    ['payload', payload === undefined ? undefined : JSON.stringify(payload)],
  ];
  return rows.flatMap(([name, value]) =>
    value === undefined ? [] : [`${name.padEnd(9)} ${printable(value)}`],
  );
}

function history(job: MonitorJob): string[] {
  const steps = lastOfProgress(job.history ?? []).map((step) => printable(`  ${stamp(step.at)}  ${step.kind.padEnd(9)} ${stepText(step)}`)); // prettier-ignore
  const children = (job.children ?? []).map(({ id, contract, state }) => printable(`  child ${id}  ${contract}  ${state}`)); // prettier-ignore
  return [
    ...(steps.length > 0 ? ['history', ...steps] : []),
    ...stackLines(job.error?.stack ?? ''),
    ...children,
  ];
}

/** Without the progress that more progress of the same attempt follows. */
function lastOfProgress(steps: readonly MonitorStep[]): MonitorStep[] {
  return steps.filter((step, i) => {
    const next = steps[i + 1];
    return step.kind !== 'progress' || next?.kind !== 'progress' || next['attempt'] !== step['attempt'];
  });
}

/** What a step says, in a line. */
export function stepText(step: MonitorStep): string {
  const { service, host } = step;
  const { attempt, error, reason, nextAt, fraction, note, message, level, by } = step as Partial<Record<string, unknown>>; // prettier-ignore
  const failed = error as { name?: string; message?: string } | undefined;
  const parts = [
    typeof attempt === 'number' ? `attempt ${attempt}` : undefined,
    `${service}@${host}`,
    failed ? `${failed.name}: ${failed.message}` : undefined,
    typeof reason === 'string' ? reason : undefined,
    typeof nextAt === 'number' ? `next ${stamp(nextAt)}` : undefined,
    typeof fraction === 'number' ? `${Math.round(fraction * 100)} %${typeof note === 'string' ? ` ${note}` : ''}` : undefined, // prettier-ignore
    typeof message === 'string' ? `${typeof level === 'string' ? `${level}: ` : ''}${message}` : undefined,
    typeof by === 'string' ? `by ${by}` : undefined,
  ];
  return parts.filter((part) => part !== undefined).join('  ');
}

export function stamp(at: number): string {
  return Number.isFinite(at) && Math.abs(at) <= 8.64e15 ? new Date(at).toISOString().slice(0, 23).replace('T', ' ') : 'unknown'; // prettier-ignore
}

function place({ service, host }: MonitorJob): string {
  return service === undefined ? 'an unknown service' : `${service}@${host ?? 'unknown'}`;
}

function failure({ error }: MonitorJob): string {
  return error ? `${error.name}: ${error.message} (cause ${error.fingerprint})` : 'no error is recorded';
}

function took({ startedAt, endedAt }: MonitorJob): string {
  return startedAt === undefined || endedAt === undefined
    ? ''
    : `, ran ${span(Math.max(0, endedAt - startedAt))}`;
}
