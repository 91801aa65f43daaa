import type { EnqueuedEvent, EventSender, OutcomeEvent, RailEvent, StartedEvent } from 'jobrail/events';
import type { StreamedMessage } from '../src/projection/projection.js';
import { readBatch } from '../src/records/read-batch.js';

/** A message as it lies on the stream. */
export interface ToldMessage {
  offset: number;
  body: Buffer;
}

export const asRead = ({ offset, body }: ToldMessage): StreamedMessage => ({ offset, ...readBatch(body) });

/** Events as processes tell them, and the messages of the stream that they make. */
export class Telling {
  readonly messages: ToldMessage[] = [];
  readonly #seqs = new Map<string, number>();

  /** A batch of a process. @returns its message, to send it again. */
  tell(service: string, events: readonly RailEvent[], instance = `${service}-1`): ToldMessage {
    const seq = (this.#seqs.get(instance) ?? 0) + 1;
    this.#seqs.set(instance, seq);
    const from: EventSender = { service, instance, host: 'test-host', pid: 1 };
    return this.put({ v: 1, from, seq, events });
  }

  /** Whatever it is. */
  put(batch: unknown): ToldMessage {
    const message = { offset: this.messages.length, body: Buffer.from(JSON.stringify(batch)) };
    this.messages.push(message);
    return message;
  }

  /** The same body again, at the end of the stream. */
  repeat({ body }: ToldMessage): ToldMessage {
    const message = { offset: this.messages.length, body };
    this.messages.push(message);
    return message;
  }
}

/** Noon of 2 March 2026, UTC. */
export const noon = Date.UTC(2026, 2, 2, 12);

const failure = {
  name: 'MailError',
  message: 'the mailbox is full',
  stack: 'MailError: …',
  fingerprint: '0123456789ab',
};

/** What happens to one job, as events. */
export function storyOf(job: string, about: { contract?: string; queue?: string; at?: number } = {}) {
  const { contract = 'email.send', queue = 'email', at = noon } = about;
  const subject = { job, contract, queue };
  const facts = { enqueuedAt: at, producer: 'api' };
  const outcome = { ...subject, startedAt: at + 10, attempt: 1 };
  return {
    enqueued: (more: Partial<EnqueuedEvent> = {}): EnqueuedEvent => ({
      kind: 'enqueued',
      ...subject,
      at,
      ...facts,
      payloadBytes: 20,
      payload: { to: 'ada@example.com' },
      ...more,
    }),
    started: (more: Partial<StartedEvent> = {}): StartedEvent => ({
      kind: 'started',
      ...subject,
      ...facts,
      at: at + 10,
      attempt: 1,
      ...more,
    }),
    completed: (more: Partial<OutcomeEvent> = {}): OutcomeEvent =>
      ({ kind: 'completed', ...outcome, at: at + 20, resultBytes: 0, facts, ...more }) as OutcomeEvent,
    retried: (more: Partial<OutcomeEvent> = {}): OutcomeEvent =>
      ({
        kind: 'retried',
        ...outcome,
        at: at + 20,
        nextAt: at + 1_020,
        error: failure,
        facts,
        ...more,
      }) as OutcomeEvent,
    dead: (more: Partial<OutcomeEvent> = {}): OutcomeEvent =>
      ({
        kind: 'dead',
        ...outcome,
        at: at + 20,
        reason: 'attempts used up',
        error: failure,
        facts,
        ...more,
      }) as OutcomeEvent,
    /** An outcome that says no more than its kind. */
    ended: (kind: 'released' | 'expired' | 'cancelled', more: Partial<OutcomeEvent> = {}): OutcomeEvent =>
      ({ kind, ...outcome, at: at + 20, facts, ...more }) as OutcomeEvent,
    snoozed: (more: Partial<OutcomeEvent> = {}): OutcomeEvent =>
      ({ kind: 'snoozed', ...outcome, at: at + 20, nextAt: at + 60_000, facts, ...more }) as OutcomeEvent,
    replayed: (replays: number, payload?: unknown): RailEvent => ({
      kind: 'replayed',
      ...subject,
      at: at + 5_000,
      by: 'ada',
      ...(replays > 0 && { replays }),
      ...(payload !== undefined && { payload }),
    }),
    progress: (fraction: number, more: object = {}): RailEvent => ({
      kind: 'progress',
      ...subject,
      at: at + 15,
      attempt: 1,
      fraction,
      ...more,
    }),
  };
}
