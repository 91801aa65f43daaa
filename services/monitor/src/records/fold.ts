import type { EventSender, JobEvent, JobFacts, OutcomeEvent } from 'jobrail/events';
import { isFinal, type JobRecord } from './job-record.js';

/** A step of a job's life, as its history keeps it: the event without what the record says already. */
export interface HistoryStep {
  at: number;
  kind: JobEvent['kind'];
  service: string;
  host: string;
  [field: string]: unknown;
}

/** Log lines and progress beyond so many steps are not kept. */
const mostSteps = 500;

/** The record of a job of which nothing is known yet but an event. */
export function blankRecord({ job, contract, queue, at }: JobEvent): JobRecord {
  return {
    id: job,
    contract,
    queue,
    state: 'pending',
    attempts: 0,
    replays: 0,
    attempt: 0,
    settled: false,
    updatedAt: at,
    steps: 0,
  };
}

/**
 * Brings a record up to date with an event; `record` is changed. Events are ordered by replay, attempt and place in the
 * stream, never by time, because the clocks of services differ: what belongs to an earlier attempt adds facts only, and
 * so does `enqueued`, which may come late.
 * @returns the step for the history, or undefined where it is not kept.
 */
export function fold(record: JobRecord, event: JobEvent, from: EventSender): HistoryStep | undefined {
  const first = record.steps === 0;
  if (event.kind === 'enqueued') foldEnqueued(record, event, first);
  else if (event.kind === 'replayed') foldReplayed(record, event);
  else foldAttempt(record, event, from);
  return keepStep(record, event, from);
}

function foldEnqueued(
  record: JobRecord,
  event: Extract<JobEvent, { kind: 'enqueued' }>,
  first: boolean,
): void {
  addFacts(record, event);
  record.dueAt ??= event.dueAt;
  record.payloadBytes ??= event.payloadBytes;
  if (record.payload === undefined) record.payload = event.payload;
  if (!first) return;
  record.updatedAt = event.at;
  if ((event.dueAt ?? 0) <= event.at) return;
  record.state = 'scheduled';
  record.nextAt = event.dueAt;
}

function foldReplayed(record: JobRecord, event: Extract<JobEvent, { kind: 'replayed' }>): void {
  if (event.payload !== undefined) record.payload = event.payload;
  // Told late, when the job has run again already, it changes nothing.
  if ((event.replays ?? 1) <= record.replays) return;
  record.replays = event.replays ?? 1;
  record.attempt = 0;
  record.settled = false;
  record.updatedAt = event.at;
  enter(record, 'pending');
}

function foldAttempt(
  record: JobRecord,
  event: Exclude<JobEvent, { kind: 'enqueued' | 'replayed' }>,
  from: EventSender,
): void {
  if (event.kind === 'started') addFacts(record, event);
  if ('facts' in event && event.facts) {
    addFacts(record, event.facts);
    if (event.attempt === 1) record.dueAt ??= event.facts.dueAt;
  }
  if ('payload' in event && record.payload === undefined) record.payload = event.payload;
  const replays = event.replays ?? 0;
  const newer = replays - record.replays || event.attempt - record.attempt;
  if (newer < 0) return;
  const outcome = isOutcome(event);
  // What an attempt did before its outcome, told late.
  if (newer === 0 && record.settled && !outcome) return;
  record.replays = replays;
  record.attempt = event.attempt;
  record.settled = false;
  record.updatedAt = event.at;
  record.service = from.service;
  record.host = from.host;
  record.instance = from.instance;
  if (outcome) foldOutcome(record, event);
  else foldRunning(record, event, newer > 0);
}

function foldRunning(
  record: JobRecord,
  event: Extract<JobEvent, { kind: 'started' | 'progress' | 'log' }>,
  newAttempt: boolean,
): void {
  if (newAttempt) {
    record.progress = undefined;
    record.note = undefined;
  }
  if (record.state !== 'processing' || newAttempt || event.kind === 'started') {
    record.startedAt = event.at;
    enter(record, 'processing');
  }
  record.attempts = event.attempt;
  if (event.kind !== 'progress') return;
  record.progress = event.fraction;
  record.note = event.note;
}

function foldOutcome(record: JobRecord, event: OutcomeEvent): void {
  record.startedAt = event.startedAt;
  record.attempts = event.attempt;
  record.settled = true;
  switch (event.kind) {
    case 'completed':
      enter(record, 'completed', event.at);
      record.resultBytes = event.resultBytes;
      record.result = event.result;
      record.progress = undefined;
      record.note = undefined;
      break;
    case 'retried':
      enter(record, 'retrying');
      record.nextAt = event.nextAt;
      record.error = event.error;
      break;
    case 'snoozed':
    case 'released':
      record.attempts = event.attempt - 1;
      record.settled = false; // the next run has the same number
      enter(record, event.kind === 'snoozed' ? 'scheduled' : 'pending');
      if (event.kind === 'snoozed') record.nextAt = event.nextAt;
      break;
    case 'dead':
      enter(record, 'dead', event.at);
      record.error = event.error;
      record.reason = event.reason;
      break;
    case 'discarded':
      enter(record, 'discarded', event.at);
      record.reason = event.reason;
      break;
    case 'cancelled':
      if (!event.ran) record.attempts = event.attempt - 1;
      enter(record, 'cancelled', event.at);
      record.reason = event.reason;
      break;
    case 'expired':
      record.attempts = event.attempt - 1;
      enter(record, 'expired', event.at);
  }
}

function enter(record: JobRecord, state: JobRecord['state'], endedAt?: number): void {
  record.state = state;
  record.nextAt = undefined;
  record.reason = undefined;
  record.endedAt = isFinal(state) ? endedAt : undefined;
}

function isOutcome(event: JobEvent): event is OutcomeEvent {
  return 'startedAt' in event;
}

function addFacts(record: JobRecord, facts: JobFacts): void {
  record.enqueuedAt ??= facts.enqueuedAt;
  record.expiresAt ??= facts.expiresAt;
  record.priority ??= facts.priority;
  record.rootId ??= facts.rootId;
  record.causationId ??= facts.causationId;
  record.traceId ??= facts.traceId;
  record.producer ??= facts.producer;
}

/** What the record has, or the search. */
const elsewhere = new Set(['job', 'contract', 'queue', 'facts', 'payload', 'result', 'traceId', 'rootId']);

function keepStep(record: JobRecord, event: JobEvent, from: EventSender): HistoryStep | undefined {
  const chatter = event.kind === 'log' || event.kind === 'progress';
  if (chatter && record.steps >= mostSteps) {
    record.truncated = true;
    return undefined;
  }
  record.steps++;
  const step: HistoryStep = { at: event.at, kind: event.kind, service: from.service, host: from.host };
  for (const field in event) {
    if (!elsewhere.has(field)) step[field] = event[field as keyof typeof event];
  }
  return step;
}
