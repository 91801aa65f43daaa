import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { getPriority, setPriority } from 'node:os';
import type { FromIsolate, JobFacts, Order, Report, ToIsolate } from '../model/border.js';
import { crashOf, type IsolatePool, type IsolateRun, type PoolOptions } from './isolate.js';

const idleMs = 30_000;

interface Task {
  readonly order: Order;
  readonly onMessage: (message: FromIsolate) => void;
  readonly resolve: (report: Report) => void;
  readonly reject: (error: Error) => void;
  on: Isolate | undefined;
}

interface Isolate {
  readonly process: ChildProcess;
  task: Task | undefined;
  idle: NodeJS.Timeout | undefined;
}

/** Isolates that are processes of their own. One attempt a process; what is left over waits for one to be free. */
export class ProcessIsolates implements IsolatePool {
  readonly #isolates = new Set<Isolate>();
  readonly #waiting: Task[] = [];
  #closed = false;

  constructor(private readonly options: PoolOptions) {}

  begin(job: JobFacts | undefined, payload: unknown, onMessage: (message: FromIsolate) => void): IsolateRun {
    const { contract, isolation } = this.options;
    const order = { module: isolation.module, contract, job, payload };
    let task!: Task;
    const report = new Promise<Report>((resolve, reject) => {
      task = { order, onMessage, resolve, reject, on: undefined };
    });
    this.#waiting.push(task);
    this.#next();
    const post = (message: ToIsolate) => {
      if (task.on?.process.connected) task.on.process.send(message);
    };
    return { post, kill: () => this.#kill(task), report };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const task of this.#waiting.splice(0))
      task.reject(crashOf(this.options, new Error('it was closed')));
    await Promise.all(
      [...this.#isolates].map(async ({ process }) => {
        const exited = once(process, 'exit');
        process.kill('SIGKILL');
        await exited;
      }),
    );
  }

  /** Gives waiting attempts to processes that are free, or to new ones. */
  #next(): void {
    while (this.#waiting.length > 0 && !this.#closed) {
      const free = [...this.#isolates].find(({ task }) => task === undefined);
      if (!free && this.#isolates.size >= this.options.size) return;
      this.#give(free ?? this.#fork(), this.#waiting.shift()!);
    }
  }

  #give(isolate: Isolate, task: Task): void {
    clearTimeout(isolate.idle);
    isolate.task = task;
    task.on = isolate;
    isolate.process.ref();
    isolate.process.channel?.ref();
    try {
      isolate.process.send({ order: task.order });
    } catch (error) {
      this.#free(isolate); // its payload cannot be cloned
      task.reject(crashOf(this.options, error));
    }
  }

  #free(isolate: Isolate): void {
    isolate.task = undefined;
    isolate.process.unref();
    isolate.process.channel?.unref();
    isolate.idle = setTimeout(() => isolate.process.kill(), idleMs);
    isolate.idle.unref();
  }

  #kill(task: Task): void {
    if (task.on) {
      if (task.on.task === task) task.on.process.kill('SIGKILL');
      return;
    }
    this.#waiting.splice(this.#waiting.indexOf(task), 1);
    task.reject(crashOf(this.options, new Error('none was free')));
  }

  #fork(): Isolate {
    const options = process.execArgv.filter((option) => !option.startsWith('--inspect'));
    const forked = fork(new URL('./isolated-process.js', import.meta.url), {
      execArgv: [...options, `--max-old-space-size=${this.options.isolation.memoryMb}`],
      serialization: 'advanced',
    });
    lower(forked, this.options.isolation.nice);
    const isolate: Isolate = { process: forked, task: undefined, idle: undefined };
    this.#isolates.add(isolate);
    let failure: Error | undefined;
    forked.on('error', (error) => {
      failure = error;
      if (forked.pid === undefined) this.#gone(isolate, error); // it could not even begin
    });
    forked.on('message', (message: FromIsolate) => {
      const { task } = isolate;
      if (message.kind !== 'report') {
        task?.onMessage(message);
        return;
      }
      this.#free(isolate);
      task?.resolve(message.report);
      this.#next();
    });
    forked.on('exit', (code, signal) => {
      this.#gone(
        isolate,
        failure ?? new Error(signal ? `it was ended by ${signal}` : `it exited with code ${code}`),
      );
    });
    return isolate;
  }

  #gone(isolate: Isolate, reason: Error): void {
    clearTimeout(isolate.idle);
    this.#isolates.delete(isolate);
    isolate.task?.reject(crashOf(this.options, reason));
    isolate.task = undefined;
    this.#next();
  }
}

/** Before it has threads of its own, which keep what they were made with. */
function lower({ pid }: ChildProcess, nice: number): void {
  try {
    if (pid !== undefined && nice > getPriority(pid)) setPriority(pid, nice);
  } catch {
    // It is gone already, which its exit tells, or the system does not allow it.
  }
}
