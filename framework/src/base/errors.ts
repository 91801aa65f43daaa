/** Every code an error of Jobrail can carry, with what it means. `docs/reference/errors.md` lists the same. */
export const errorCodes = {
  JR_OPTION_INVALID: 'An option is unknown or its value is out of range.',
  JR_CONFIG_INVALID: 'A service cannot start as it is configured.',
  JR_HANDLER_UNRESOLVED: 'A handler cannot be built: one of its dependencies is not bound.',
  JR_CONTRACT_INVALID: 'A contract or queue is defined with a value that cannot work.',
  JR_CONTRACT_UNKNOWN: 'A job names a contract that the service has no handler for.',
  JR_PAYLOAD_INVALID: 'A payload does not fit the schema of its contract.',
  JR_PAYLOAD_NOT_JSON: 'A payload cannot be written as, or read from, JSON.',
  JR_PAYLOAD_TOO_LARGE: 'A payload is larger than the limit.',
  JR_MESSAGE_UNREADABLE:
    'A message on a job queue is not a job: a property or header is missing or malformed.',
  JR_MESSAGE_UNSENDABLE: 'A message cannot be sent: its headers are too large, or AMQP has no such value.',
  JR_KEY_INVALID: 'The key function of an idempotent or unique job threw, or gave what cannot be a key.',
  JR_RESULT_INVALID: 'A result does not fit the schema of its contract, or the contract has none.',
  JR_RESULT_LATE: 'No result came within the time that was given for it.',
  JR_JOB_FAILED: 'The job whose result was waited for did not complete.',
  JR_CIRCLE: 'Child jobs are nested too deep, which is most likely a circle.',
  JR_TOPOLOGY_CONFLICT: 'A queue or exchange exists with other arguments than the code asks for.',
  JR_TOPOLOGY_MISSING: 'A queue or exchange that is used does not exist.',
  JR_BATCH_INCOMPLETE: 'Some jobs of an enqueueMany were not accepted.',
  JR_BROKER_UNREACHABLE: 'No connection to the broker could be made.',
  JR_BROKER_CLOSED: 'The broker connection was closed by this process.',
  JR_PUBLISH_RETURNED: 'The broker returned a message: no queue is bound for it.',
  JR_PUBLISH_TIMEOUT: 'The broker did not confirm a message within the deadline.',
  JR_ATTEMPT_TIMEOUT: 'An attempt took longer than the timeout of its handler.',
  JR_ISOLATE_CRASHED: 'The thread or process in which an attempt ran ended before its handler did.',
  JR_CANCELLED: 'A job was cancelled while it ran.',
  JR_SHUTDOWN: 'The service is stopping and the grace period is over.',
  JR_STORE_UNSET: 'A job is to be unique where no store is configured.',
  JR_STORE_UNREACHABLE: 'The store cannot be had at the moment: not running, not answering, or locked.',
  JR_STORE_FAILED: 'The store refused a statement.',
  JR_STORE_CLOSED: 'The store was closed by this process.',
  JR_STORE_NEWER: 'The store was migrated by a newer version of Jobrail than this one.',
  JR_TRANSACTION_CLOSED: 'A transaction was used after its end.',
  JR_MONITOR_UNSET: 'The status of a job is asked for where no monitor is configured.',
  JR_MONITOR_UNREACHABLE: 'The monitor does not answer, or not as a monitor does.',
} as const;

export type ErrorCode = keyof typeof errorCodes;

export interface ErrorDetails {
  /** What to do next, as a sentence. */
  mend?: string;
  cause?: unknown;
}

/** An error of Jobrail. Branch on `code`; `message` says what was seen and expected, `mend` the next step. */
export class JobrailError extends Error {
  readonly mend: string | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    { mend, cause }: ErrorDetails = {},
  ) {
    super(mend === undefined ? message : `${message} ${mend}`, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.mend = mend;
  }
}

/** An option is unknown, or has a value it cannot have (`JR_OPTION_INVALID`). */
export class OptionError extends JobrailError {
  constructor(message: string, details?: ErrorDetails) {
    super('JR_OPTION_INVALID', message, details);
  }
}

/** A service cannot start as it is put together (`JR_CONFIG_INVALID`, `JR_HANDLER_UNRESOLVED`). */
export class ConfigError extends JobrailError {}

/** One thing that is wrong with a payload: where, and what was expected. */
export interface PayloadIssue {
  /** Dotted path into the payload; empty for the payload itself. */
  path: string;
  message: string;
}

/** A payload, contract or job that cannot be accepted (`JR_PAYLOAD_*`, `JR_CONTRACT_*`, `JR_MESSAGE_*`, `JR_KEY_INVALID`, `JR_CIRCLE`). */
export class ContractError extends JobrailError {
  readonly issues: readonly PayloadIssue[];

  constructor(
    code: ErrorCode,
    message: string,
    details: ErrorDetails & { issues?: readonly PayloadIssue[] } = {},
  ) {
    super(code, message, details);
    this.issues = details.issues ?? [];
  }
}

/** The broker has something else than the code asks for, or lacks it (`JR_TOPOLOGY_*`). */
export class TopologyError extends JobrailError {}

/** The broker cannot be reached or used (`JR_BROKER_*`). */
export class BrokerError extends JobrailError {}

/** The store cannot be reached, or does not do what it was asked (`JR_STORE_*`, `JR_TRANSACTION_CLOSED`). */
export class StoreError extends JobrailError {}

/** A message was not confirmed by the broker (`JR_PUBLISH_*`). */
export class PublishError extends JobrailError {
  /** True when the broker may have taken the message all the same: sending it again may run the job twice. */
  readonly maybeAccepted: boolean;

  constructor(code: ErrorCode, message: string, details: ErrorDetails & { maybeAccepted: boolean }) {
    super(code, message, details);
    this.maybeAccepted = details.maybeAccepted;
  }
}

/** Whatever was thrown, as an Error whose name and message are text, which is not so of all. */
export function toError(thrown: unknown): Error {
  if (thrown instanceof Error) {
    const { name, message }: { name: unknown; message: unknown } = thrown;
    if (typeof name === 'string' && typeof message === 'string') return thrown;
    return new Error(`${describe(name)}: ${describe(message)}`, { cause: thrown });
  }
  return new Error(typeof thrown === 'string' ? thrown : `a non-error was thrown: ${describe(thrown)}`);
}

/** A value as it is shown in a message: short, quoted where it is text. */
export function describe(value: unknown): string {
  if (value === undefined) return 'undefined';
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (typeof value === 'bigint' || typeof value === 'symbol') return value.toString();
  let text: string;
  try {
    text = JSON.stringify(value) ?? Object.prototype.toString.call(value);
  } catch {
    text = Object.prototype.toString.call(value);
  }
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
