import { AsyncResource } from 'node:async_hooks';
import { toError } from '../base/errors.js';
import {
  type FromIsolate,
  type JobFacts,
  type Report,
  revived,
  thrownFacts,
  type ToIsolate,
} from '../model/border.js';
import { IsolateCrash } from '../model/outcome.js';
import type { Isolation } from '../model/isolation.js';
import type { Contract } from '../model/contract.js';
import type { JobContext } from '../model/job-context.js';

/** One thread or process that runs an attempt: how to talk to it, and what becomes of it. */
export interface IsolateRun {
  post(message: ToIsolate): void;
  /** Ends it at once, whatever it does. */
  kill(): void;
  /** Resolves with its report; rejects when it ended without one. */
  readonly report: Promise<Report>;
}

export interface PoolOptions {
  contract: string;
  isolation: Isolation;
  /** Threads or processes, at most. */
  size: number;
}

/** Threads or processes for the attempts of one handler. */
export interface IsolatePool {
  /** Begins an attempt; without a job only loads the handler. */
  begin(job: JobFacts | undefined, payload: unknown, onMessage: (message: FromIsolate) => void): IsolateRun;
  /** Ends them all. */
  close(): Promise<void>;
}

/**
 * Runs an attempt in an isolate: what its handler tells the job (progress, log, enqueue) is done here, and when the signal of
 * the job aborts it is told, and killed if it does not end within `killAfterMs`.
 */
export async function runInIsolate(
  pool: IsolatePool,
  { payload, job, killAfterMs }: { payload: unknown; job: JobContext; killAfterMs: number },
): Promise<unknown> {
  // In the context of the attempt, so that a child job belongs to its trace.
  const onMessage = AsyncResource.bind((message: FromIsolate) => void obey(message));
  const run = pool.begin(factsOf(job), payload, onMessage);
  let killing: NodeJS.Timeout | undefined;
  const { signal } = job;
  const stop = () => {
    run.post({ kind: 'abort', reason: thrownFacts(signal.reason) });
    killing = setTimeout(() => run.kill(), killAfterMs);
  };
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  try {
    const report = await run.report;
    if (report.done) return report.result;
    throw revived(report.thrown);
  } finally {
    clearTimeout(killing);
    signal.removeEventListener('abort', stop);
  }

  async function obey(message: FromIsolate): Promise<void> {
    if (message.kind === 'progress') job.progress(message.fraction, message.note);
    else if (message.kind === 'log') job.log[message.level](message.details as object, message.message);
    else if (message.kind === 'enqueue') run.post(await enqueued(job, message));
  }
}

/** Enqueues a child job whose payload the isolate has checked. */
async function enqueued(
  job: JobContext,
  { call, contract, payload, options }: Extract<FromIsolate, { kind: 'enqueue' }>,
): Promise<ToIsolate> {
  const checked: Contract = {
    ...contract,
    payload: { '~standard': { version: 1, vendor: 'jobrail', validate: (value) => ({ value }) } },
    result: undefined,
  };
  try {
    const { id } = await job.enqueue(checked, payload, options);
    return { kind: 'enqueued', call, id };
  } catch (error) {
    return { kind: 'enqueueFailed', call, error: thrownFacts(error) };
  }
}

function factsOf(job: JobContext): JobFacts {
  const { id, attempt, contract, queue, enqueuedAt, priority, headers, rootId, causationId } = job;
  return { id, attempt, contract, queue, enqueuedAt, priority, headers, rootId, causationId };
}

/** Why there is no report: the isolate ended without, or could not be given the attempt. */
export function crashOf({ contract, isolation }: PoolOptions, error: unknown): Error {
  const cause = toError(error);
  if (cause.name === 'DataCloneError') return cause;
  return new IsolateCrash({ contract, in: isolation.in, memoryMb: isolation.memoryMb }, cause);
}
