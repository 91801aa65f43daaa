import type { EventSender, JobEvent, JobFacts } from '../model/event.js';
import type { MonitorJob, MonitorStep } from './monitor-client.js';

/** An event of a job and who told it. */
export interface ToldEvent {
  event: JobEvent;
  from: EventSender;
}

const states: Partial<Record<JobEvent['kind'], string>> = {
  enqueued: 'pending',
  replayed: 'pending',
  started: 'processing',
  progress: 'processing',
  log: 'processing',
  completed: 'completed',
  retried: 'retrying',
  snoozed: 'scheduled',
  released: 'pending',
  discarded: 'discarded',
  cancelled: 'cancelled',
  expired: 'expired',
  dead: 'dead',
};

const over = new Set(['completed', 'discarded', 'cancelled', 'expired', 'dead']);

const uncounted = new Set<JobEvent['kind']>(['snoozed', 'released', 'expired']);

/** By replay and attempt, then by time: clocks of services differ, what follows from one another does not. */
function inOrder(told: readonly ToldEvent[]): ToldEvent[] {
  const rank = ({ event }: ToldEvent) => [
    event.kind === 'enqueued' ? -1 : (event.replays ?? 0),
    'attempt' in event ? event.attempt : 0,
    states[event.kind] === 'processing' ? 0 : 1,
    event.at,
  ];
  return told.toSorted((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    const differs = left.findIndex((value, i) => value !== right[i]);
    return differs < 0 ? 0 : left[differs]! - right[differs]!;
  });
}

/** What the events of a job say of it, as the monitor would; undefined where there is none. */
export function jobFromEvents(id: string, told: readonly ToldEvent[]): MonitorJob | undefined {
  const ordered = inOrder(told);
  const last = ordered.at(-1);
  if (!last) return undefined;
  const { contract, queue } = last.event;
  const job: MonitorJob = { id, contract, queue, state: 'pending', attempts: 0, replays: 0, updatedAt: 0 };
  for (const { event, from } of ordered) apply(job, event, from);
  const history = ordered.map(({ event, from }): MonitorStep => {
    const { job: _job, contract: _contract, queue: _queue, ...rest } = event;
    return { ...rest, service: from.service, host: from.host };
  });
  return { ...job, history };
}

function apply(job: MonitorJob, event: JobEvent, { service, host }: EventSender): void {
  job.state = states[event.kind] ?? job.state;
  job.updatedAt = event.at;
  job.replays = Math.max(job.replays, event.replays ?? 0);
  const facts: Partial<JobFacts> | undefined =
    'facts' in event ? event.facts : 'enqueuedAt' in event ? event : undefined;
  addFacts(job, facts ?? {});
  if (event.kind === 'enqueued') {
    if (event.payload !== undefined) job.payload = event.payload;
    if ((event.dueAt ?? 0) > event.at) Object.assign(job, { state: 'scheduled', nextAt: event.dueAt });
  }
  if ('payload' in event && event.payload !== undefined) job.payload = event.payload;
  if ('attempt' in event) Object.assign(job, { attempts: event.attempt - (counts(event) ? 0 : 1), service, host }); // prettier-ignore
  if ('startedAt' in event) job.startedAt = event.startedAt;
  if (event.kind === 'started') job.startedAt = event.at;
  if (event.kind === 'progress') Object.assign(job, { progress: event.fraction, note: event.note });
  if ('nextAt' in event) job.nextAt = event.nextAt;
  if ('error' in event) job.error = event.error;
  if ('reason' in event && event.reason !== undefined) job.reason = event.reason;
  if (over.has(job.state)) job.endedAt = event.at;
}

/** An attempt that was put off, given back or never begun is none. */
function counts(event: JobEvent): boolean {
  return event.kind === 'cancelled' ? event.ran === true : !uncounted.has(event.kind);
}

function addFacts(job: MonitorJob, facts: Partial<JobFacts>): void {
  const { enqueuedAt, dueAt, expiresAt, priority, rootId, causationId, traceId, producer } = facts;
  for (const [name, value] of Object.entries({
    enqueuedAt,
    dueAt,
    expiresAt,
    priority,
    rootId,
    causationId,
    traceId,
    producer,
  })) {
    // prettier-ignore
    if (value !== undefined) Object.assign(job, { [name]: value });
  }
}
