import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { ProcessGuard } from './machinery.js';

export interface MemberOptions {
  name: string;
  /** Compiled file of the process. */
  entry: string;
  settings: object;
  /** Options for Node, such as `--max-old-space-size=80`. */
  nodeOptions?: readonly string[];
  /** File that takes its output. */
  log: string;
  guard: ProcessGuard;
}

/** A supervisor waits this long before it starts a process again that died. */
const restartAfterMs = 100;

/** How a process ended. */
export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/**
 * A producer or worker as a process of its own, under a supervisor that starts it again when it dies, as a container
 * platform would.
 */
export class Member {
  readonly name: string;
  readonly #options: MemberOptions;
  readonly #news = new EventEmitter();
  #child: ChildProcess | undefined;
  #ended: Promise<Ending> = Promise.resolve({ code: 0, signal: null });
  #supervised = false;
  #ready = false;
  /** How often it was started. */
  starts = 0;

  constructor(options: MemberOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it and resolves when it says that it is ready. */
  async start(): Promise<void> {
    this.#supervised = true;
    this.#spawn();
    await this.ready();
  }

  /** Resolves when the process that runs now, or the one that is started next, has said that it is ready. */
  async ready(): Promise<void> {
    if (!this.#ready) await this.heard('ready');
  }

  /** Resolves at the next news of this name. */
  async heard(news: string): Promise<void> {
    await once(this.#news, news);
  }

  tell(order: string): void {
    // A process that is just ending hears no more orders, and needs none.
    if (this.#child?.connected) this.#child.send(order, () => undefined);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /**
   * Kills it; the supervisor starts it again. Resolves when the new process has been started (not: is ready).
   * @param by what makes it end. Default: SIGKILL.
   */
  async kill(by: () => void = () => this.signal('SIGKILL')): Promise<void> {
    const again = once(this.#news, 'spawned');
    by();
    await again;
  }

  /** Tells a producer to enqueue what is left; resolves when it has ended, at once when it has ended before. */
  async finish(): Promise<void> {
    if (!this.#supervised && !this.#child) return;
    await this.ready();
    this.#supervised = false;
    this.tell('finish');
    await this.#ended;
  }

  /**
   * Asks it to end, as a deployment does; it is not started again. SIGKILL follows after `patienceMs`.
   * @returns how it ended; undefined when it had to be killed.
   */
  async stop(patienceMs: number): Promise<Ending | undefined> {
    this.#supervised = false;
    if (!this.#child) return { code: 0, signal: null };
    // One that has only just been started would die of the signal before it can heed it.
    if (patienceMs > 0) await Promise.race([this.ready(), this.#ended]);
    this.signal('SIGTERM');
    this.signal('SIGCONT');
    const done = new AbortController();
    const late = pause(patienceMs, undefined, { signal: done.signal }).then(
      () => this.signal('SIGKILL'),
      () => undefined,
    );
    const ending = await this.#ended;
    done.abort();
    await late;
    return ending.signal === 'SIGKILL' ? undefined : ending;
  }

  #spawn(): void {
    const { entry, settings, nodeOptions = [], log, guard } = this.#options;
    const output = openSync(log, 'a');
    const args = ['--enable-source-maps', ...nodeOptions, entry, JSON.stringify(settings)];
    const child = spawn(process.execPath, args, {
      detached: true, // its own group, as the guard asks
      stdio: ['ignore', output, output, 'ipc'],
      env: { ...process.env, OTEL_SDK_DISABLED: 'true' },
    });
    closeSync(output);
    this.#child = child;
    this.starts++;
    const pid = child.pid!;
    guard.guardProcess(pid);
    child.on('message', (news: string) => {
      if (news === 'ready') this.#ready = true;
      this.#news.emit(news);
    });
    this.#ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        guard.releaseProcess(pid);
        this.#child = undefined;
        this.#ready = false;
        resolve({ code, signal });
        if (this.#supervised) setTimeout(() => this.#supervised && this.#spawn(), restartAfterMs);
      });
    });
    this.#news.emit('spawned');
  }
}
