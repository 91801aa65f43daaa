import { toError } from '../base/errors.js';
import type { Queue } from './contract.js';
import type { EnqueueOptions } from './enqueue-options.js';
import type { MessageHeaders } from './message.js';
import { Discard, Fatal, Retry, Signal, Snooze } from './outcome.js';

/*
 * What crosses the border between a service and an isolate, by structured clone.
 */

/** The job of an attempt, without what it can do. */
export interface JobFacts {
  id: string;
  attempt: number;
  contract: string;
  queue: string;
  enqueuedAt: Date;
  priority: number;
  headers: MessageHeaders;
  rootId: string;
  causationId: string | undefined;
}

/** An attempt to run. */
export interface Order {
  module: string;
  contract: string;
  /** Undefined: only load the handler, to see that it can be. */
  job: JobFacts | undefined;
  payload: unknown;
}

/** From the service to an isolate. */
export type ToIsolate =
  | { kind: 'abort'; reason: ThrownFacts }
  | { kind: 'enqueued'; call: number; id: string }
  | { kind: 'enqueueFailed'; call: number; error: ThrownFacts };

/** How an attempt in an isolate ended. */
export type Report = { done: true; result: unknown } | { done: false; thrown: ThrownFacts };

/** From an isolate to its service. */
export type FromIsolate =
  | { kind: 'report'; report: Report }
  | { kind: 'progress'; fraction: number; note: string | undefined }
  | { kind: 'log'; level: 'debug' | 'info' | 'warn' | 'error'; details: unknown; message: string | undefined }
  | {
      kind: 'enqueue';
      call: number;
      contract: { name: string; queue: Queue; secret: readonly string[] };
      payload: unknown;
      options: EnqueueOptions | undefined;
    };

/** What was thrown, in parts that can be cloned. */
export interface ThrownFacts {
  kind: 'error' | 'retry' | 'snooze' | 'discard' | 'fatal';
  name: string;
  message: string;
  stack: string | undefined;
  code: string | undefined;
  inMs: number | undefined;
  cause: ThrownFacts | undefined;
}

export function thrownFacts(thrown: unknown, depth = 0): ThrownFacts {
  const error = toError(thrown);
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return {
    kind: kindOf(error),
    name: error.name,
    message: error.message,
    stack: error.stack,
    code: typeof code === 'string' ? code : undefined,
    inMs: error instanceof Retry || error instanceof Snooze ? error.inMs : undefined,
    cause: cause === undefined || depth >= 5 ? undefined : thrownFacts(cause, depth + 1),
  };
}

function kindOf(error: Error): ThrownFacts['kind'] {
  if (!(error instanceof Signal)) return 'error';
  if (error instanceof Retry) return 'retry';
  if (error instanceof Snooze) return 'snooze';
  return error instanceof Discard ? 'discard' : 'fatal';
}

/** The error again, on the other side: signals as themselves, others with name, message, stack and code. */
export function revived({ kind, name, message, stack, code, inMs = 0, cause }: ThrownFacts): Error {
  const from = cause && revived(cause);
  if (kind === 'retry') return new Retry({ in: inMs, cause: from });
  if (kind === 'snooze') return new Snooze({ in: inMs });
  if (kind === 'discard') return new Discard(message);
  if (kind === 'fatal') return new Fatal(from ?? message);
  const error = new Error(message, from && { cause: from });
  Object.defineProperty(error, 'name', { value: name, configurable: true });
  if (stack !== undefined) error.stack = stack;
  return code === undefined ? error : Object.assign(error, { code });
}
