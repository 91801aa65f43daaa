import { asLight, type LightStep, type PassingStep, type Step } from '../base/pipeline.js';
import type { Contract } from './contract.js';
import type { JobContext } from './job-context.js';
import type { IncomingMessage, MessageHeaders, OutgoingMessage } from './message.js';
import type { Outcome } from './outcome.js';

/** A job, or a pack of jobs, on its way to the broker. */
export interface Sending {
  readonly contract: Contract;
  /** Of the job; of a pack, of its message. */
  readonly id: string;
  /** What will be sent; a filter may add headers to `message.properties.headers`, for all jobs in it. */
  readonly message: OutgoingMessage;
  /** Ids of the jobs of a pack (`pack` of `enqueueMany`), which is sent as one message; undefined for a job by itself. */
  readonly pack?: readonly string[];
  /** The job whose attempt enqueues this one. */
  readonly parent: JobContext | undefined;
}

/** One run of a handler. */
export interface Attempt {
  readonly contract: Contract;
  readonly job: JobContext;
  readonly message: IncomingMessage;
  /** Name of the service that runs it. */
  readonly service: string;
  /** When the job could first start, and when the attempt began; milliseconds since 1970. */
  readonly readyAt: number;
  readonly startedAt: number;
  /** When it began, on the clock of `performance.now()`. */
  readonly begunAt: number;
  /** The span around it, where it is traced. */
  span: { readonly traceId: string; readonly spanId: string } | undefined;
  /** Headers for the copy that a retry or snooze publishes. */
  carry: MessageHeaders | undefined;
  /** Its start was told as an event of its own. */
  announced: boolean;
  /** What it comes to when a filter threw: it counts as failed. Told to the log. */
  failedBy(error: unknown): Outcome;
}

/**
 * One feature around each publish and each attempt. `client.use` and `service.use` take it; a service uses it for what
 * its handlers enqueue too. The first used is the outermost. What only looks on uses `begun`, `lasts` and `ended`, which
 * cost an attempt no promise; none of them may throw.
 */
export interface Filter {
  readonly name: string;
  /** Around the publish of a job; resolves when the broker has confirmed it. */
  publish?: Step<Sending, void>;
  /** Around an attempt, from the check of its payload to its outcome, before the job is settled. It must not throw. */
  attempt?: Step<Attempt, Outcome>;
  /** As `publish` and `attempt`, for what most often has nothing to wait for; instead of these. */
  lightPublish?: LightStep<Sending, void>;
  lightAttempt?: PassingStep<Attempt, Outcome>;
  /** An attempt begins. */
  begun?: (attempt: Attempt) => void;
  /** An attempt has gone on for a quarter of a second. */
  lasts?: (attempt: Attempt) => void;
  /** The outcome of an attempt is known, and will be settled. */
  ended?: (attempt: Attempt, outcome: Outcome) => void;
  /** The handler reported progress. */
  progress?: (attempt: Attempt, fraction: number, note: string | undefined) => void;
  /** The handler wrote a line to `job.log`, of level info or above. */
  log?: (attempt: Attempt, level: 'info' | 'warn' | 'error', message: string) => void;
}

/** The steps of filters around a publish. */
export function publishSteps(filters: readonly Filter[]): LightStep<Sending, void>[] {
  return filters.flatMap(({ publish, lightPublish }) => lightPublish ?? (publish ? asLight(publish) : []));
}

/** The steps of filters around an attempt. */
export function attemptSteps(filters: readonly Filter[]): PassingStep<Attempt, Outcome>[] {
  return filters.flatMap(({ attempt, lightAttempt }) => lightAttempt ?? (attempt ? asPassing(attempt) : []));
}

/** A step with promises in the place of one without. */
export function asPassing(step: Step<Attempt, Outcome>): PassingStep<Attempt, Outcome> {
  return (attempt, next, done) =>
    void step(attempt, () => new Promise(next)).then(done, (error: unknown) => done(attempt.failedBy(error)));
}
