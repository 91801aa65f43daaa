import type { DeadReason } from './outcome.js';

/*
 * The steps of a job's life, as they go onto the event stream. `docs/wire.md` tells how they look there; a field that is
 * undefined is absent. All moments are milliseconds since 1970, by the clock of the sender.
 */

/** How sure it is that an event arrives: the outcome waits for the broker's confirm of it, or not, or there is none. */
export type EventLevel = (typeof eventLevels)[number];
export const eventLevels = ['confirmed', 'best-effort', 'off'] as const;

export interface ErrorFacts {
  name: string;
  /** Credentials redacted, cut at 4,000 bytes. */
  message: string;
  /** Cut at 8,000 bytes. */
  stack?: string | undefined;
  /** Twelve hexadecimal digits, the same for errors of the same cause. */
  fingerprint: string;
}

/** What every event of a job says. */
interface JobSubject {
  job: string;
  contract: string;
  queue: string;
  /** When it happened. */
  at: number;
  /** How often the job was replayed from the dead letters so far, a replay that is told included; absent for never. */
  replays?: number | undefined;
}

/** What is known of a job from its message. */
export interface JobFacts {
  enqueuedAt: number;
  dueAt?: number | undefined;
  expiresAt?: number | undefined;
  /** Absent for 0. */
  priority?: number | undefined;
  /** Absent when it is the job itself. */
  rootId?: string | undefined;
  causationId?: string | undefined;
  /** 32 hexadecimal digits. */
  traceId?: string | undefined;
  /** Service that enqueued it. */
  producer?: string | undefined;
}

/** The broker has confirmed the job. */
export interface EnqueuedEvent extends JobSubject, JobFacts {
  kind: 'enqueued';
  /** Size of the payload on the wire. */
  payloadBytes: number;
  /** Secret fields redacted; absent when it is larger than is recorded. */
  payload?: unknown;
}

interface AttemptSubject extends JobSubject {
  /** From 1. */
  attempt: number;
}

/** An attempt began. Told at once only of attempts that last; of others it is in the event of the outcome. */
export interface StartedEvent extends AttemptSubject, JobFacts {
  kind: 'started';
}

export interface ProgressEvent extends AttemptSubject {
  kind: 'progress';
  /** 0 to 1. */
  fraction: number;
  note?: string | undefined;
}

/** A line that the handler wrote to `job.log`. */
export interface LogEvent extends AttemptSubject {
  kind: 'log';
  level: 'info' | 'warn' | 'error';
  message: string;
}

interface OutcomeSubject extends AttemptSubject {
  startedAt: number;
  /** What a `started` event would have said, where none was told. */
  facts?: JobFacts | undefined;
}

/** How an attempt ended. Confirmed by the broker before the job is acked. */
export type OutcomeEvent = OutcomeSubject &
  (
    | { kind: 'completed'; resultBytes: number; result?: unknown }
    /** Another attempt follows at `nextAt`. */
    | { kind: 'retried'; nextAt: number; error: ErrorFacts; payload?: unknown }
    | { kind: 'snoozed'; nextAt: number }
    | { kind: 'discarded'; reason: string }
    /** `ran` where its handler had been called; without, the attempt does not count. */
    | { kind: 'cancelled'; reason?: string | undefined; ran?: boolean | undefined }
    | { kind: 'expired' }
    /** Given back to the queue because the service stops; the attempt does not count. */
    | { kind: 'released' }
    | { kind: 'dead'; reason: DeadReason; error: ErrorFacts; payload?: unknown }
  );

/** A dead letter was sent again. */
export interface ReplayedEvent extends JobSubject {
  kind: 'replayed';
  /** Who did it. */
  by: string;
  /** The payload it was sent with, where it was edited. */
  payload?: unknown;
}

/** A control message was sent; for the audit. */
export interface ControlEvent {
  kind: 'control';
  at: number;
  action: 'pause' | 'resume' | 'cancel' | 'drain';
  /** Queue, job or service that it is about. */
  subject: string;
  by: string;
}

/** What a worker process tells of itself every few seconds. */
export interface HeartbeatEvent {
  kind: 'heartbeat';
  at: number;
  startedAt: number;
  /** Of Jobrail. */
  version: string;
  state: string;
  queues: {
    name: string;
    concurrency: number;
    prefetch: number;
    running: number;
    held: number;
    /** Its consumers are registered. */
    ready: boolean;
    paused?: boolean | undefined;
  }[];
  /** The 99th percentile since the last heartbeat. */
  eventLoopLagMs: number;
  rssBytes: number;
}

export type JobEvent = EnqueuedEvent | StartedEvent | ProgressEvent | LogEvent | OutcomeEvent | ReplayedEvent;

export type RailEvent = JobEvent | ControlEvent | HeartbeatEvent;

/** The process that tells events. */
export interface EventSender {
  service: string;
  /** Another for each process and each client in it. */
  instance: string;
  host: string;
  pid: number;
}

/**
 * One message of the event stream. A batch may come twice, after a lost connection: `from.instance` and `seq` say so.
 * Within an instance events are in order; between instances only what follows from one another is.
 */
export interface EventBatch {
  v: 1;
  from: EventSender;
  /** From 1, without gaps as long as nothing was dropped. */
  seq: number;
  events: RailEvent[];
}
