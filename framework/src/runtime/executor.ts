import type { Clock } from '../base/clock.js';
import { composePassing } from '../base/pipeline.js';
import { ContractError, toError } from '../base/errors.js';
import { redactError } from '../base/redact.js';
import { validatePayload } from '../model/contract.js';
import { type Envelope, readPayload } from '../model/envelope.js';
import { type Attempt, attemptSteps, type Filter } from '../model/filter.js';
import type { JobLog } from '../model/job-context.js';
import { AttemptTimeout, Cancelled, type Outcome, outcomeOf, Signal } from '../model/outcome.js';
import type { Delivery } from '../ports/broker.js';
import { AttemptContext, type ContextSources } from './attempt-context.js';
import { Bag } from '../base/bag.js';
import { type Deadline, Deadlines } from '../base/deadlines.js';
import type { BoundHandler } from './handlers.js';
import type { EndedAttempt, HeldJob, JobRunner } from './held-job.js';
import type { JobPublisher } from './job-publisher.js';

export interface ExecutorOptions {
  handler: BoundHandler;
  /** Name of the service. */
  service: string;
  publisher: JobPublisher;
  filters: readonly Filter[];
  clock: Clock;
  log: JobLog & ContextSources['log'];
  /** How long a handler may go on after its signal aborted before its slot is taken away. Milliseconds. */
  deafMs: number;
  random?: () => number;
  /** The cancel of a job, if there is one. */
  cancelOf?: (job: string) => { reason?: string | undefined } | undefined;
}

/** Of an attempt that lasts. */
const lastsMs = 250;

class RunningAttempt implements Attempt {
  carry: Attempt['carry'];
  announced = false;
  outcome: Outcome | undefined;
  /** Of its handler's timeout, once it waits for something. */
  deadline: Deadline<RunningAttempt> | undefined;
  /** Of having lasted, where a filter wants to hear of that. */
  lasting: Deadline<RunningAttempt> | undefined;
  span: Attempt['span'];
  /** Where its handler's outcome goes; undefined when it has come, and when its handler ended at once. */
  handled: ((outcome: Outcome) => void) | undefined;
  readonly begunAt = performance.now();
  /** In the bag of those that run. */
  place: number | undefined;
  readonly readyAt: number;
  readonly contract;
  /** Its `expiresIn` was over before it was started. */
  readonly expired: boolean;
  constructor(
    readonly executor: Executor,
    readonly handler: BoundHandler,
    readonly job: AttemptContext,
    readonly message: Delivery,
    readonly service: string,
    readonly startedAt: number,
    envelope: Envelope,
    readonly done: (ended: EndedAttempt) => void,
  ) {
    this.contract = handler.contract;
    this.readyAt = envelope.dueAt ?? envelope.enqueuedAt;
    this.expired = envelope.expiresAt !== undefined && envelope.expiresAt <= startedAt;
  }

  failedBy(error: unknown): Outcome {
    return this.executor.filterThrew(this.job, error);
  }
}

/**
 * Runs the attempts of one handler: delivery → filters → payload → handler → outcome.
 *
 * Nothing leaves `execute` by an exception: whatever goes wrong becomes the outcome of the attempt. A handler that goes
 * on after its signal aborted is given up after a while: its outcome is decided without it and its slot is free, though
 * what it still does cannot be stopped.
 */
export class Executor implements JobRunner {
  readonly #running = new Bag<RunningAttempt>();
  /** Handlers that did not heed their signal and may still be running. */
  abandoned = 0;
  readonly handler: BoundHandler;
  readonly #options: ExecutorOptions;
  readonly #attempt: (attempt: RunningAttempt, done: (outcome: Outcome) => void) => void;
  readonly #sources: ContextSources;
  readonly #timeouts: Deadlines<RunningAttempt>;
  readonly #lasting: Deadlines<RunningAttempt> | undefined;
  readonly #begun: NonNullable<Filter['begun']>[];
  readonly #ended: NonNullable<Filter['ended']>[];

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.handler = options.handler;
    const steps = attemptSteps(options.filters);
    this.#attempt = composePassing<RunningAttempt, Outcome>(steps, (attempt, done) =>
      this.#work(attempt, done),
    );
    this.#begun = hooksOf(options.filters, 'begun');
    this.#ended = hooksOf(options.filters, 'ended');
    const lasts = together(hooksOf(options.filters, 'lasts'));
    if (lasts) this.#lasting = new Deadlines<RunningAttempt>(options.clock, lastsMs, lasts);
    this.#sources = {
      queue: options.handler.contract.queue.name,
      publisher: options.publisher,
      log: options.log,
      onProgress: together(hooksOf(options.filters, 'progress')),
      onLog: together(hooksOf(options.filters, 'log')),
    };
    const { contract, timeoutMs } = options.handler;
    this.#timeouts = new Deadlines(options.clock, timeoutMs, (attempt) =>
      this.#stop(attempt, new AttemptTimeout(contract.name, timeoutMs)),
    );
  }

  /** Runs the job and calls `done` with how that went, at once where nothing waits. Never throws. */
  execute(held: HeldJob, done: (ended: EndedAttempt) => void): void {
    const { delivery, envelope, priority } = held;
    const { handler, service, clock } = this.#options;
    const startedAt = clock.now();
    const { headers } = delivery.properties;
    const job = new AttemptContext(envelope, handler.contract, priority, headers, this.#sources);
    const attempt = new RunningAttempt(this, handler, job, delivery, service, startedAt, envelope, done);
    job.running = attempt;
    try {
      for (const begun of this.#begun) begun(attempt);
      this.#attempt(attempt, (outcome) => this.#end(attempt, outcome));
    } catch (error) {
      this.#broke(attempt, error);
    }
    if (attempt.outcome) return; // what has ended already cannot be told to stop
    this.#running.add(attempt);
    attempt.deadline = this.#timeouts.add(attempt, startedAt);
    attempt.lasting = this.#lasting?.add(attempt, startedAt);
  }

  /** Tells all running attempts to stop. */
  abortAll(reason: Error): void {
    for (const attempt of [...this.#running]) this.#stop(attempt, reason);
  }

  /** Tells the attempt of a job to stop, if it runs here. */
  cancel(id: string, reason: string | undefined): void {
    for (const attempt of [...this.#running]) {
      if (attempt.job.id === id) this.#stop(attempt, new Cancelled(id, reason));
    }
  }

  stop(): void {
    this.#timeouts.stop();
    this.#lasting?.stop();
  }

  /** A filter threw at once. What is thrown when the attempt has ended is none of a filter's. */
  #broke(attempt: RunningAttempt, thrown: unknown): void {
    if (attempt.outcome) throw toError(thrown);
    this.#end(attempt, this.filterThrew(attempt.job, thrown));
  }

  filterThrew(job: AttemptContext, thrown: unknown): Outcome {
    const details = { job: job.id, contract: job.contract, attempt: job.attempt };
    this.#options.log.error(
      { ...details, err: redactError(toError(thrown)) },
      'a filter threw; the attempt counts as failed',
    );
    return this.#failed(job, thrown);
  }

  #end(attempt: RunningAttempt, outcome: Outcome): void {
    if (attempt.outcome) return;
    if (attempt.deadline) {
      this.#timeouts.delete(attempt.deadline);
      if (attempt.lasting) this.#lasting!.delete(attempt.lasting);
      this.#running.delete(attempt);
    }
    attempt.outcome = outcome;
    try {
      for (const ended of this.#ended) ended(attempt, outcome);
    } catch (error) {
      attempt.outcome = this.filterThrew(attempt.job, error);
    }
    attempt.done(attempt as EndedAttempt);
  }

  #work(attempt: RunningAttempt, done: (outcome: Outcome) => void): void {
    const { job, handler, message, expired } = attempt;
    if (expired) return done({ kind: 'expired' });
    const cancel = this.#options.cancelOf?.(job.id);
    if (cancel) return done({ kind: 'cancelled', reason: cancel.reason, ran: false });
    let payload;
    try {
      payload = validatePayload(handler.contract, readPayload(message.body));
    } catch (error) {
      return done(invalidPayload(error));
    }
    if (!(payload instanceof Promise)) return this.#call(attempt, payload, done);
    payload
      .then(
        (late) => this.#call(attempt, late, done),
        (error: unknown) => done(invalidPayload(error)),
      )
      .catch((error: unknown) => this.#broke(attempt, error));
  }

  #call(attempt: RunningAttempt, payload: unknown, done: (outcome: Outcome) => void): void {
    const { handler, job } = attempt;
    let result: unknown;
    try {
      result = handler.build(job).handle(payload, job);
    } catch (error) {
      return done(this.#failed(job, error));
    }
    if (!isThenable(result)) return done({ kind: 'completed', result });
    attempt.handled = done;
    void result.then(
      (late) => this.#handled(attempt, { kind: 'completed', result: late }),
      (error: unknown) => this.#handled(attempt, this.#failed(job, error)),
    );
  }

  /** The outcome of a handler that waited; only the first counts, which may come without it. */
  #handled(attempt: RunningAttempt, outcome: Outcome): void {
    const { handled } = attempt;
    attempt.handled = undefined;
    try {
      handled?.(outcome);
    } catch (error) {
      this.#broke(attempt, error);
    }
  }

  #failed(job: AttemptContext, thrown: unknown): Outcome {
    const { handler, random = Math.random } = this.#options;
    if (thrown instanceof ContractError && thrown.code === 'JR_CIRCLE') {
      return { kind: 'dead', reason: 'fatal', error: thrown };
    }
    // What a handler throws after it was told to stop is most likely the echo of that.
    const cause = job.abortReason && !(thrown instanceof Signal) ? job.abortReason : thrown;
    return outcomeOf(cause, job.attempt, handler.retry, random);
  }

  #stop(attempt: RunningAttempt, reason: Error): void {
    const { clock, deafMs, log } = this.#options;
    const { job } = attempt;
    job.abort(reason);
    clock.setTimer(
      deafMs,
      () => {
        if (attempt.outcome) return;
        this.abandoned++;
        log.warn(
          { job: job.id, contract: job.contract, attempt: job.attempt },
          `the handler did not heed job.signal within ${deafMs} ms; its attempt is ended without it`,
        );
        this.#handled(attempt, this.#failed(job, reason));
      },
      true,
    );
  }
}

/** What those of the filters that have it do at one point. */
function hooksOf<K extends 'begun' | 'lasts' | 'ended' | 'progress' | 'log'>(
  filters: readonly Filter[],
  point: K,
): NonNullable<Filter[K]>[] {
  return filters.flatMap((filter) => filter[point] ?? []);
}

/** One function that calls all; undefined for none. */
function together<A extends unknown[]>(
  all: readonly ((...args: A) => void)[],
): ((...args: A) => void) | undefined {
  if (all.length <= 1) return all[0];
  return (...args) => all.forEach((one) => one(...args));
}

function invalidPayload(error: unknown): Outcome {
  return { kind: 'dead', reason: 'invalid-payload', error: toError(error) };
}

function isThenable(result: unknown): result is PromiseLike<unknown> {
  return typeof (result as PromiseLike<unknown> | undefined | null)?.then === 'function';
}
