import type { Logger } from 'pino';
import { redact, redactError } from '../base/redact.js';
import type { Attempt, Filter } from '../model/filter.js';
import type { Outcome } from '../model/outcome.js';

/** One line for each outcome, with what is needed to find the job again: ids, durations, trace. Never the payload. */
export function logFilter(log: Logger): Filter {
  return {
    name: 'log',

    begun(attempt) {
      if (log.isLevelEnabled('debug')) log.debug({ ...subject(attempt), outcome: 'started' }, 'job started');
    },

    ended(attempt, outcome) {
      const level = levels[outcome.kind];
      if (!log.isLevelEnabled(level)) return;
      const { startedAt, readyAt } = attempt;
      const times = { waitedMs: Math.max(0, startedAt - readyAt), ranMs: Date.now() - startedAt };
      log[level]({ ...subject(attempt), ...times, ...details(outcome) }, `job ${sentence[outcome.kind]}`);
    },

    progress(attempt, fraction, note) {
      if (log.isLevelEnabled('debug'))
        log.debug({ ...subject(attempt), progress: fraction, note }, 'job progress');
    },
  };
}

const levels = {
  completed: 'info',
  retry: 'warn',
  snooze: 'info',
  discard: 'info',
  dead: 'error',
  expired: 'warn',
  cancelled: 'info',
  released: 'info',
} as const;

const sentence: Record<Outcome['kind'], string> = {
  completed: 'completed',
  retry: 'failed, will be retried',
  snooze: 'snoozed',
  discard: 'discarded',
  dead: 'is dead, kept as a dead letter',
  expired: 'expired before it started',
  cancelled: 'cancelled',
  released: 'given back to its queue',
};

function subject({ job, span }: Attempt) {
  return {
    job: job.id,
    contract: job.contract,
    queue: job.queue,
    attempt: job.attempt,
    priority: job.priority,
    ...(span && { traceId: span.traceId, spanId: span.spanId }),
  };
}

function details(outcome: Outcome) {
  switch (outcome.kind) {
    case 'retry':
      return { outcome: 'retry', inMs: outcome.inMs, err: redactError(outcome.error) };
    case 'snooze':
      return { outcome: 'snooze', inMs: outcome.inMs };
    case 'discard':
      return { outcome: 'discard', reason: redact(outcome.reason) };
    case 'cancelled':
      return {
        outcome: 'cancelled',
        ...(outcome.reason !== undefined && { reason: redact(outcome.reason) }),
      };
    case 'dead':
      return { outcome: 'dead', reason: outcome.reason, err: redactError(outcome.error) };
    default:
      return { outcome: outcome.kind };
  }
}
