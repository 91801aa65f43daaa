import { toError } from '../base/errors.js';
import { redact } from '../base/redact.js';
import { exitCode, Failure } from './exit.js';

/** A job as the monitor tells it. Moments are milliseconds since 1970, by the clock of the sender. */
export interface MonitorJob {
  id: string;
  contract: string;
  queue: string;
  state: string;
  service?: string;
  host?: string;
  attempts: number;
  replays: number;
  enqueuedAt?: number;
  dueAt?: number;
  nextAt?: number;
  expiresAt?: number;
  startedAt?: number;
  endedAt?: number;
  updatedAt: number;
  priority?: number;
  rootId?: string;
  causationId?: string;
  traceId?: string;
  producer?: string;
  payload?: unknown;
  payloadBytes?: number;
  error?: { name: string; message: string; stack?: string; fingerprint: string };
  reason?: string;
  progress?: number;
  note?: string;
  history?: MonitorStep[];
  children?: MonitorJob[];
}

export interface MonitorStep {
  at: number;
  kind: string;
  service: string;
  host: string;
  [field: string]: unknown;
}

export interface MonitorQueue {
  queue: string;
  states: Record<string, number>;
  oldestWaitingAt?: number;
}

export interface MonitorWorker {
  service: string;
  instance: string;
  host: string;
  pid: number;
  seenAt: number;
  gone: boolean;
  clockSkewMs: number;
  version: string;
  state: string;
  queues: {
    name: string;
    concurrency: number;
    running: number;
    held: number;
    ready: boolean;
    paused?: boolean;
  }[];
}

const answerMs = 15_000;

/** The HTTP API of `services/monitor`, as far as the CLI asks it. */
export class MonitorClient {
  readonly #base: URL;

  /** @throws Failure for a URL that is none. */
  constructor(
    url: string,
    private readonly token: string | undefined,
  ) {
    try {
      this.#base = new URL(url.endsWith('/') ? url : `${url}/`);
    } catch {
      throw new Failure(
        exitCode.usage,
        `The URL of the monitor is "${redact(url)}". Give one such as http://127.0.0.1:8090.`,
      );
    }
  }

  /** Undefined for a job that the monitor does not know. */
  job(id: string): Promise<MonitorJob | undefined> {
    return this.#get<MonitorJob>(`jobs/${encodeURIComponent(id)}`);
  }

  async search(
    parameters: Record<string, string>,
  ): Promise<{ jobs: MonitorJob[]; next?: string; total?: number }> {
    return (await this.#get(`jobs?${new URLSearchParams(parameters).toString()}`)) ?? { jobs: [] };
  }

  async queues(): Promise<MonitorQueue[]> {
    return (await this.#get('queues')) ?? [];
  }

  async workers(): Promise<MonitorWorker[]> {
    return (await this.#get('workers')) ?? [];
  }

  async alerts(): Promise<{ rule: string; subject: string; text: string; resolvedAt?: number }[]> {
    return (await this.#get('alerts')) ?? [];
  }

  async projection(): Promise<{ lagMs?: number; rebuilding: boolean; jobs: number; missingBatches: number }> {
    return (await this.#get('projection')) ?? { rebuilding: false, jobs: 0, missingBatches: 0 };
  }

  async #get<T>(path: string): Promise<T | undefined> {
    const url = new URL(path, this.#base);
    let response: Response;
    try {
      response = await fetch(url, {
        headers: { accept: 'application/json', ...(this.token && { authorization: `Bearer ${this.token}` }) },
        signal: AbortSignal.timeout(answerMs),
      });
    } catch (error) {
      const cause = toError((error as { cause?: unknown }).cause ?? error).message;
      throw new Failure(
        exitCode.unreachable,
        `The monitor at ${redact(this.#base.href)} does not answer: ${cause}.`,
      );
    }
    const body = (await response.json().catch(() => undefined)) as (T & { error?: { code: string; message: string } }) | undefined; // prettier-ignore
    if (response.ok && body !== undefined) return body;
    if (response.status === 404 && body?.error?.code === 'JOB_UNKNOWN') return undefined;
    const said = body?.error?.message ?? `it answered ${response.status}`;
    if (response.status === 401) {
      throw new Failure(exitCode.unreachable, `The monitor lets nobody in without its token: set JOBRAIL_MONITOR_TOKEN. (${said})`); // prettier-ignore
    }
    throw new Failure(response.status === 400 ? exitCode.usage : exitCode.wrong, `The monitor says: ${said}`);
  }
}
