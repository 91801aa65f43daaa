import 'reflect-metadata';
import { injectable } from 'inversify';
import { ConfigError } from '../base/errors.js';
import { type Duration, durationMs } from '../base/duration.js';
import { refuseUnknownOptions } from '../base/options.js';
import type { Contract, PayloadOf } from './contract.js';
import { type Idempotency, type IdempotencyOptions, readIdempotency } from './idempotency.js';
import { callerFile, type Isolation, type IsolateOptions, readIsolation } from './isolation.js';
import type { JobContext } from './job-context.js';
import { defaultRetry, type RetryPolicy } from './retry.js';

/** The class that does the work of a contract. A new instance is built for each attempt. */
export interface Handler<C extends Contract = Contract> {
  /** Returning completes the job; throwing ends the attempt as `Retry`, `Snooze`, `Discard`, `Fatal` or the retry policy say. */
  handle(payload: PayloadOf<C>, job: JobContext): unknown;
}

/** An exchange that others own, whose plain JSON messages become jobs of the contract. */
export interface ForeignBinding {
  exchange: string;
  /** A topic pattern: `*` is one word, `#` any number. */
  routingKey: string;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- options of handlers of any payload
export interface JobOptions<Payload = any> {
  /** When a failed attempt is followed by another. Default: 10 attempts, exponential from 1 s to 1 h, full jitter. */
  retry?: RetryPolicy;
  /** How long an attempt may take before `job.signal` aborts and it fails with `JR_ATTEMPT_TIMEOUT`. Default 5 min. */
  timeout?: Duration;
  /** Exchanges of others to bind the queue of the contract to. They must exist. */
  bindings?: readonly ForeignBinding[];
  /** For a job of which a second run would do harm. Needs a store; see `store` of `JobService`. */
  idempotency?: IdempotencyOptions<Payload>;
  /**
   * Runs the handler in a thread or process of its own instead of on the event loop of the service, for work that computes.
   * The class must be exported by a file that starts nothing when it is imported.
   */
  isolate?: IsolateOptions['in'] | IsolateOptions;
}

/** A handler class; its constructor is called by inversify. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a constructor of any parameters
export type HandlerClass<C extends Contract = any> = new (...dependencies: any[]) => Handler<C>;

/** What `@Job` recorded of a handler class, with defaults filled in. */
export interface JobDefinition {
  readonly contract: Contract;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  readonly bindings: readonly ForeignBinding[];
  readonly idempotency: Idempotency | undefined;
  /** Undefined: on the event loop of the service. */
  readonly isolation: Isolation | undefined;
}

const metadataKey = Symbol.for('jobrail:job');
export const defaultTimeoutMs = 5 * 60_000;

/**
 * Marks a class as the handler of a contract. Only records; `JobService` reads it at start and reports what is wrong.
 * The class becomes injectable by it.
 */
export function Job<C extends Contract>(contract: C, options: JobOptions<PayloadOf<C>> = {}) {
  const writtenIn = options.isolate === undefined ? undefined : callerFile(Job);
  return <H extends HandlerClass<C>>(handler: H): void => {
    injectable()(handler);
    Reflect.defineMetadata(metadataKey, { contract, options, writtenIn }, handler);
  };
}

/**
 * What a handler class was marked with.
 * @throws ConfigError when it was not marked; OptionError when an option is wrong.
 */
export function jobDefinition(handler: HandlerClass): JobDefinition {
  const recorded = Reflect.getMetadata(metadataKey, handler) as
    { contract: Contract; options: JobOptions; writtenIn?: string } | undefined;
  const name = typeof handler === 'function' ? handler.name : String(handler);
  if (!recorded) {
    throw new ConfigError('JR_CONFIG_INVALID', `${name} is given as a handler but is not marked with @Job.`, {
      mend: `Write @Job(<contract>) above class ${name}.`,
    });
  }
  const { contract, writtenIn } = recorded;
  const options: JobOptions<unknown> = recorded.options;
  const subject = `@Job("${contract.name}") of ${name}`;
  refuseUnknownOptions(subject, options, ['retry', 'timeout', 'bindings', 'idempotency', 'isolate']);
  const { retry = defaultRetry, timeout, bindings = [], idempotency, isolate } = options;
  const timeoutMs = timeout === undefined ? defaultTimeoutMs : durationMs(timeout, `timeout of ${subject}`);
  return {
    contract,
    retry,
    timeoutMs,
    bindings,
    idempotency: idempotency && readIdempotency(idempotency, subject, { retry, timeoutMs }),
    isolation: isolate && readIsolation(isolate, subject, writtenIn),
  };
}
