export { JobService, type JobServiceOptions, type QueueOptions } from './service.js';
export { JobFailure } from './model/reply.js';
export { JobClient, type JobClientOptions, type RunOptions } from './client.js';
export { BatchError, type EnqueueManyOptions } from './runtime/enqueue-many.js';
export { MonitorError, type JobStatus } from './job-status.js';
export { Job, type ForeignBinding, type Handler, type HandlerClass, type JobOptions } from './model/job.js';
export { JobContext, type JobLog } from './model/job-context.js';
export type { IdempotencyOptions } from './model/idempotency.js';
export type { UniqueOn, UniqueOptions } from './model/unique.js';
export { JobTransaction } from './model/job-transaction.js';
export {
  defineJob,
  defineQueue,
  type Contract,
  type InputOf,
  type PayloadOf,
  type ResultOf,
  type Queue,
} from './model/contract.js';
export type { EnqueuedJob, EnqueueOptions } from './model/enqueue-options.js';
export { IsolateCrash } from './model/outcome.js';
export type { IsolateOptions } from './model/isolation.js';
export { AttemptTimeout, Cancelled, Discard, Fatal, Retry, Shutdown, Snooze } from './model/outcome.js';
export type { DeadReason, JobState, Outcome } from './model/outcome.js';
export { backoff, exponential, fixed, noRetry, type RetryPolicy } from './model/retry.js';
export type { Attempt, Filter, Sending } from './model/filter.js';
export type { HeaderValue, MessageHeaders } from './model/message.js';
export type { Duration } from './base/duration.js';
export type { Clock } from './base/clock.js';
export {
  BrokerError,
  ConfigError,
  ContractError,
  errorCodes,
  JobrailError,
  OptionError,
  PublishError,
  StoreError,
  TopologyError,
  type ErrorCode,
  type PayloadIssue,
} from './base/errors.js';
