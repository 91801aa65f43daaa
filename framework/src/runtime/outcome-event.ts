import { redact } from '../base/redact.js';
import { cut, errorFacts } from '../model/error-facts.js';
import { jobFacts, replaysOf } from '../model/event-facts.js';
import type { Contract } from '../model/contract.js';
import type { OutcomeEvent } from '../model/event.js';
import { mostRecordedBytes } from '../model/recorded-payload.js';
import type { EndedAttempt, HeldJob } from './held-job.js';

/** The event that tells how an attempt ended. @param nextAt when the next one is due, where one follows. */
export function outcomeEvent(job: HeldJob, ended: EndedAttempt, at: number, nextAt: number): OutcomeEvent {
  const { envelope, executor, delivery } = job;
  const { contract } = executor.handler;
  const { outcome, startedAt, announced } = ended;
  if (outcome.kind === 'completed') return completedEvent(job, ended, outcome.result, at);
  const about = {
    job: envelope.id,
    contract: contract.name,
    queue: contract.queue.name,
    attempt: envelope.attempt,
    at,
    startedAt,
    replays: replaysOf(delivery.properties),
    facts: announced ? undefined : jobFacts(delivery.properties, envelope.enqueuedAt),
  };
  switch (outcome.kind) {
    case 'retry':
      return { kind: 'retried', ...about, nextAt, error: errorFacts(outcome.error) };
    case 'snooze':
      return { kind: 'snoozed', ...about, nextAt };
    case 'discard':
      return { kind: 'discarded', ...about, reason: cut(redact(outcome.reason), 1_000) };
    case 'dead':
      return { kind: 'dead', ...about, reason: outcome.reason, error: errorFacts(outcome.error) };
    case 'cancelled': {
      const { reason, ran } = outcome;
      return {
        kind: 'cancelled',
        ...about,
        ...(reason !== undefined && { reason: cut(redact(reason), 1_000) }),
        ...(ran && { ran }),
      };
    }
    case 'expired':
    case 'released':
      return { kind: outcome.kind, ...about };
  }
}

/** Made in one piece, because to spread what all events have copies it: it is the event of nearly every job. */
function completedEvent(
  { envelope, executor, delivery }: HeldJob,
  { startedAt, announced }: EndedAttempt,
  given: unknown,
  at: number,
): OutcomeEvent {
  const { contract } = executor.handler;
  const resultBytes = sizeOf(given);
  return {
    kind: 'completed',
    job: envelope.id,
    contract: contract.name,
    queue: contract.queue.name,
    attempt: envelope.attempt,
    at,
    startedAt,
    replays: replaysOf(delivery.properties),
    facts: announced ? undefined : jobFacts(delivery.properties, envelope.enqueuedAt),
    resultBytes,
    result: isRecorded(contract, resultBytes) ? given : undefined,
  };
}

/** The result itself only where its contract says that somebody may want it. */
function isRecorded({ result }: Contract, bytes: number): boolean {
  return result !== undefined && bytes > 0 && bytes <= mostRecordedBytes;
}

/** Bytes that a result has as JSON; 0 for none, and for what JSON cannot hold. */
function sizeOf(result: unknown): number {
  if (result === undefined) return 0;
  try {
    const json = JSON.stringify(result) as string | undefined;
    return json === undefined ? 0 : Buffer.byteLength(json);
  } catch {
    return 0;
  }
}
