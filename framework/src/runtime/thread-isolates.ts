import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { FromIsolate, JobFacts, Report } from '../model/border.js';
import type { JobLog } from '../model/job-context.js';
import { crashOf, type IsolatePool, type IsolateRun, type PoolOptions } from './isolate.js';

const idleMs = 30_000;

/** Isolates that are threads of this process, by piscina. One attempt a thread; a thread that is killed is replaced. */
export class ThreadIsolates implements IsolatePool {
  readonly #pool: Piscina;

  constructor(
    private readonly options: PoolOptions,
    log: JobLog,
  ) {
    this.#pool = new Piscina({
      filename: new URL('./isolated-thread.js', import.meta.url).href,
      minThreads: 1,
      maxThreads: options.size,
      concurrentTasksPerWorker: 1,
      idleTimeout: idleMs,
      atomics: 'disabled', // what a handler has left running (a pool, a timer) goes on between attempts
      recordTiming: false,
      resourceLimits: { maxOldGenerationSizeMb: options.isolation.memoryMb },
    });
    this.#pool.on('error', (err: Error) => log.warn({ err }, 'an idle thread for isolated handlers ended'));
  }

  begin(job: JobFacts | undefined, payload: unknown, onMessage: (message: FromIsolate) => void): IsolateRun {
    const { contract, isolation } = this.options;
    const { port1: here, port2: there } = new MessageChannel();
    const killer = new AbortController();
    const report = new Promise<Report>((resolve, reject) => {
      here.on('message', (message: FromIsolate) => {
        if (message.kind === 'report') resolve(message.report);
        else onMessage(message);
      });
      const order = { module: isolation.module, contract, job, payload };
      const options = { transferList: [there], signal: killer.signal };
      this.#pool.run({ order, port: there }, options).catch((error: unknown) => {
        reject(crashOf(this.options, error));
      });
    }).finally(() => here.close());
    return { post: (message) => here.postMessage(message), kill: () => killer.abort(), report };
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
