import { type Contract, type InputOf, validatePayload } from '../model/contract.js';
import type { EnqueueOptions, EnqueuedJob } from '../model/enqueue-options.js';
import { type FromIsolate, type JobFacts, revived, type ToIsolate } from '../model/border.js';
import { JobContext, type JobLog } from '../model/job-context.js';
import type { MessageHeaders } from '../model/message.js';
import { uniqueKey } from '../model/unique.js';

/** The way to the service. */
export interface Border {
  post(message: FromIsolate): void;
  /** Hands over what has come, without waiting for the event loop. */
  look?(): void;
}

/** The job of an attempt that runs in an isolate: what it does is done by the service. */
export class IsolatedContext extends JobContext {
  readonly id: string;
  readonly attempt: number;
  readonly contract: string;
  readonly queue: string;
  readonly enqueuedAt: Date;
  readonly priority: number;
  readonly headers: MessageHeaders;
  readonly rootId: string;
  readonly causationId: string | undefined;
  readonly log: JobLog;
  readonly #border: Border;
  readonly #controller = new AbortController();
  readonly #calls = new Map<
    number,
    { resolve: (job: EnqueuedJob) => void; reject: (error: Error) => void }
  >();
  #lastCall = 0;

  constructor(facts: JobFacts, border: Border) {
    super();
    this.id = facts.id;
    this.attempt = facts.attempt;
    this.contract = facts.contract;
    this.queue = facts.queue;
    this.enqueuedAt = facts.enqueuedAt;
    this.priority = facts.priority;
    this.headers = facts.headers;
    this.rootId = facts.rootId;
    this.causationId = facts.causationId;
    this.#border = border;
    this.log = logOver(border);
  }

  /** Looks what the service says, so that a loop that asks each time for `job.signal.aborted` hears of it. */
  get signal(): AbortSignal {
    this.#border.look?.();
    return this.#controller.signal;
  }

  progress(fraction: number, note?: string): void {
    this.#border.post({ kind: 'progress', fraction, note });
  }

  async enqueue<C extends Contract>(
    contract: C,
    payload: InputOf<C>,
    options?: EnqueueOptions<InputOf<C>>,
  ): Promise<EnqueuedJob> {
    await validatePayload(contract, payload);
    const { name, queue, secret } = contract;
    const { unique, ...others } = options ?? {};
    // A function does not cross the border.
    const asked = unique
      ? { ...others, unique: { ...unique, key: uniqueKey(name, unique, payload) } }
      : options && others;
    const call = ++this.#lastCall;
    return new Promise((resolve, reject) => {
      this.#calls.set(call, { resolve, reject });
      this.#border.post({
        kind: 'enqueue',
        call,
        contract: { name, queue, secret },
        payload,
        options: asked,
      });
    });
  }

  /** Takes a message of the service. */
  take(message: ToIsolate): void {
    if (message.kind === 'abort') {
      this.#controller.abort(revived(message.reason));
      return;
    }
    const call = this.#calls.get(message.call);
    this.#calls.delete(message.call);
    if (message.kind === 'enqueued') call?.resolve({ id: message.id });
    else call?.reject(revived(message.error));
  }
}

function logOver(border: Border): JobLog {
  const line =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (details: object | string, message?: string): void => {
      try {
        border.post({ kind: 'log', level, details, message });
      } catch {
        // Something in it cannot be cloned.
        border.post({
          kind: 'log',
          level,
          details: message ?? 'a log line that cannot be cloned',
          message: undefined,
        });
      }
    };
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
}
