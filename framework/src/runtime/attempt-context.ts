import { JobContext, type JobLog } from '../model/job-context.js';
import type { Contract, InputOf } from '../model/contract.js';
import type { EnqueueOptions, EnqueuedJob } from '../model/enqueue-options.js';
import { type Envelope, userHeaders } from '../model/envelope.js';
import type { Attempt, Filter } from '../model/filter.js';
import type { MessageHeaders } from '../model/message.js';
import type { JobPublisher } from './job-publisher.js';

type LogLevel = Parameters<NonNullable<Filter['log']>>[1];

/** What a context needs of its service; shared by all attempts of a handler. */
export interface ContextSources {
  readonly queue: string;
  readonly publisher: JobPublisher;
  readonly log: { child(bindings: object): JobLog };
  /** What filters hear of; undefined where none wants to. */
  readonly onProgress: Filter['progress'];
  readonly onLog: Filter['log'];
}

/** The job of one attempt. What few handlers touch (signal, log, headers) is made when it is first asked for. */
export class AttemptContext extends JobContext {
  readonly id: string;
  readonly attempt: number;
  readonly rootId: string;
  readonly causationId: string | undefined;
  readonly contract: string;
  readonly priority: number;
  /** Why the attempt was told to stop. */
  abortReason: Error | undefined;
  /** As filters know it. */
  running!: Attempt;

  readonly #envelope: Envelope;
  readonly #headers: MessageHeaders;
  readonly #sources: ContextSources;
  #controller: AbortController | undefined;
  #log: JobLog | undefined;

  constructor(
    envelope: Envelope,
    contract: Contract,
    priority: number,
    headers: MessageHeaders,
    sources: ContextSources,
  ) {
    super();
    this.id = envelope.id;
    this.attempt = envelope.attempt;
    this.rootId = envelope.rootId;
    this.causationId = envelope.causationId;
    this.contract = contract.name;
    this.priority = priority;
    this.#envelope = envelope;
    this.#headers = headers;
    this.#sources = sources;
  }

  get queue(): string {
    return this.#sources.queue;
  }

  get enqueuedAt(): Date {
    return new Date(this.#envelope.enqueuedAt);
  }

  get headers(): MessageHeaders {
    return userHeaders(this.#headers);
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.abortReason) this.#controller.abort(this.abortReason);
    }
    return this.#controller.signal;
  }

  get log(): JobLog {
    if (!this.#log) {
      const log = this.#sources.log.child({ job: this.id, contract: this.contract, attempt: this.attempt });
      const { onLog } = this.#sources;
      this.#log = onLog ? tee(log, (level, message) => onLog(this.running, level, message)) : log;
    }
    return this.#log;
  }

  progress(fraction: number, note?: string): void {
    this.#sources.onProgress?.(this.running, fraction > 0 ? Math.min(1, fraction) : 0, note);
  }

  enqueue<C extends Contract>(
    contract: C,
    payload: InputOf<C>,
    options?: EnqueueOptions<InputOf<C>>,
  ): Promise<EnqueuedJob> {
    return this.#sources.publisher.enqueue(contract, payload, options, {
      job: this,
      hops: this.#envelope.hops,
    });
  }

  /** Tells the handler to stop. The first reason stands. */
  abort(reason: Error): void {
    if (this.abortReason) return;
    this.abortReason = reason;
    this.#controller?.abort(reason);
  }
}

/** A log whose lines of level info and above are told to somebody else, too. */
function tee(log: JobLog, tell: (level: LogLevel, message: string) => void): JobLog {
  const both =
    (level: LogLevel) =>
    (details: object | string, message?: string): void => {
      log[level](details, message);
      const text = typeof details === 'string' ? details : message;
      if (text !== undefined) tell(level, text);
    };
  return {
    debug: (details, message) => log.debug(details, message),
    info: both('info'),
    warn: both('warn'),
    error: both('error'),
  };
}
