import type { MessageHeaders } from './message.js';
import type { Contract, InputOf } from './contract.js';
import type { EnqueueOptions, EnqueuedJob } from './enqueue-options.js';

/** What can be written to about a job; the lines carry its id. Shaped like pino. */
export interface JobLog {
  debug(details: object | string, message?: string): void;
  info(details: object | string, message?: string): void;
  warn(details: object | string, message?: string): void;
  error(details: object | string, message?: string): void;
}

/**
 * The job that an attempt works on. Bound in the container of the attempt, so a dependency of the handler can ask for it
 * (`@inject(JobContext)`), which gives that dependency the scope of the attempt.
 */
export abstract class JobContext {
  abstract readonly id: string;
  /** Which attempt this is, from 1. */
  abstract readonly attempt: number;
  /** Name of the contract. */
  abstract readonly contract: string;
  /** Name of the queue. */
  abstract readonly queue: string;
  abstract readonly enqueuedAt: Date;
  abstract readonly priority: number;
  /** The headers that the producer gave, without those of Jobrail. */
  abstract readonly headers: MessageHeaders;
  /** Id of the first job of the tree that this job belongs to. */
  abstract readonly rootId: string;
  /** Id of the job whose attempt enqueued this one. */
  abstract readonly causationId: string | undefined;
  /** Aborts when the attempt is over its timeout, or the service stops and its grace period is over. */
  abstract readonly signal: AbortSignal;
  abstract readonly log: JobLog;
  /** Tells how far the work is, 0 to 1. */
  abstract progress(fraction: number, note?: string): void;
  /** Enqueues a child job: same trace, and `causationId` set to this job. Promises and errors as `JobClient.enqueue`. */
  abstract enqueue<C extends Contract>(
    contract: C,
    payload: InputOf<C>,
    options?: EnqueueOptions<InputOf<C>>,
  ): Promise<EnqueuedJob>;
}
