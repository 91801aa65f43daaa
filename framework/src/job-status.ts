import { describe, JobrailError, OptionError, toError } from './base/errors.js';
import { redact } from './base/redact.js';
import type { ErrorFacts } from './model/event.js';
import type { JobState } from './model/outcome.js';

/** What the monitor knows of a job. Moments are milliseconds since 1970, by the clock of whoever told them. */
export interface JobStatus {
  id: string;
  contract: string;
  queue: string;
  state: JobState;
  /** Attempts so far. */
  attempts: number;
  /** How often it was replayed from the dead letters. */
  replays: number;
  /** The service that last ran it. */
  service?: string;
  enqueuedAt?: number;
  /** When it runs next, while it is scheduled or retrying. */
  nextAt?: number;
  startedAt?: number;
  /** When it reached a state that it does not leave by itself. */
  endedAt?: number;
  updatedAt: number;
  /** 0 to 1, as the handler told. */
  progress?: number;
  note?: string;
  /** What an attempt last failed with. */
  error?: ErrorFacts;
  /** Why it is dead, discarded or cancelled. */
  reason?: string;
  traceId?: string;
  /** What the handler returned, where its contract has a `result` and it is no larger than is recorded. */
  result?: unknown;
}

/** The monitor cannot be asked: none is configured (`JR_MONITOR_UNSET`), or it does not answer (`JR_MONITOR_UNREACHABLE`). */
export class MonitorError extends JobrailError {}

export interface MonitorAccess {
  url: string | undefined;
  /** Its MONITOR_TOKEN, where it has one. */
  token: string | undefined;
}

const answerMs = 5_000;

/** @throws OptionError for what is no http or https URL */
export function monitorAccess(url: string | undefined, token: string | undefined): MonitorAccess {
  if (url !== undefined && !/^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : '')) {
    throw new OptionError(`The URL of the monitor is ${describe(redact(url))}.`, {
      mend: 'Give one such as "http://127.0.0.1:8090", as "monitor" or by JOBRAIL_MONITOR_URL.',
    });
  }
  return { url, token };
}

/** Undefined for a job that the monitor does not know. @throws MonitorError */
export async function askStatus({ url, token }: MonitorAccess, id: string): Promise<JobStatus | undefined> {
  if (url === undefined) {
    throw new MonitorError('JR_MONITOR_UNSET', `The status of job ${describe(id)} is not known here.`, {
      mend: 'Run @jobrail/monitor and set "monitor" of JobClient, or JOBRAIL_MONITOR_URL, to its URL.',
    });
  }
  const answer = await fetch(
    `${url.replace(/\/+$/, '')}/jobs/${encodeURIComponent(id.replace(/\p{Surrogate}/gu, '\ufffd'))}`,
    {
      headers: {
        accept: 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      signal: AbortSignal.timeout(answerMs),
      redirect: 'error',
    },
  ).catch((error: unknown) => {
    const { cause } = toError(error);
    throw unreachable(url, toError(cause ?? error).message, error);
  });
  try {
    if (answer.ok) return statusOf(await answer.json());
    const { error } = (await answer.json()) as { error: { code: string; message: string } };
    if (answer.status === 404 && error.code === 'JOB_UNKNOWN') return undefined;
    throw unreachable(url, `it answered ${answer.status}: ${error.message}`);
  } catch (error) {
    throw error instanceof MonitorError ? error : unreachable(url, `it answered ${answer.status}`, error);
  }
}

const fields = [
  'id', 'contract', 'queue', 'state', 'attempts', 'replays', 'service', 'enqueuedAt', 'nextAt', 'startedAt', 'endedAt',
  'updatedAt', 'progress', 'note', 'error', 'reason', 'traceId', 'result',
] as const satisfies (keyof JobStatus)[]; // prettier-ignore

function statusOf(record: unknown): JobStatus {
  const { id, state } = record as JobStatus;
  if (typeof id !== 'string' || typeof state !== 'string') throw new TypeError('no record of a job');
  const known = fields.filter((field) => (record as JobStatus)[field] !== undefined);
  return Object.fromEntries(
    known.map((field) => [field, (record as JobStatus)[field]]),
  ) as unknown as JobStatus;
}

function unreachable(url: string, why: string, cause?: unknown): MonitorError {
  return new MonitorError(
    'JR_MONITOR_UNREACHABLE',
    `The monitor at ${redact(url)} cannot be asked: ${why}.`,
    {
      mend: 'Check that it runs, that "monitor" or JOBRAIL_MONITOR_URL is right, and JOBRAIL_MONITOR_TOKEN where it has a token.',
      cause,
    },
  );
}
