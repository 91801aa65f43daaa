import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { guardProcess, releaseProcess } from './watchdog.mjs';

/**
 * @typedef {object} OwnedProcessOptions
 * @property {NodeJS.ProcessEnv} [env] Default: this process's.
 * @property {string} [cwd] Default: this process's.
 * @property {number} [uid] Run as this user (root only).
 * @property {number} [gid]
 * @property {string} [log] File that output is appended to. Default: output goes where this process's goes.
 * @property {NodeJS.Signals} [lastSignal] What ends it should this process die first. Default SIGKILL.
 */

/**
 * A program in a process group of its own, which never outlives this process.
 *
 * Being in its own group it does not get the terminal's Ctrl-C: its owner decides when and how it ends. When it
 * ends, what it started and left running in its group is killed.
 */
export class OwnedProcess {
  #pid;
  #running = true;

  /** Resolves when the program has ended. @type {Promise<{ code: number | null, signal: NodeJS.Signals | null }>} */
  exited;

  /**
   * @param {string} program
   * @param {string[]} args
   * @param {OwnedProcessOptions} options
   * @throws {Error} with the system's code (ENOENT …) when the program cannot be started.
   */
  static async start(program, args, options = {}) {
    const log = options.log === undefined ? undefined : openSync(options.log, 'a');
    try {
      const child = spawn(program, args, {
        detached: true,
        stdio: log === undefined ? 'inherit' : ['ignore', log, log],
        env: options.env,
        cwd: options.cwd,
        uid: options.uid,
        gid: options.gid,
      });
      await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
      return new OwnedProcess(child, options.lastSignal);
    } finally {
      if (log !== undefined) closeSync(log);
    }
  }

  /**
   * @private
   * @param {import('node:child_process').ChildProcess} child
   * @param {NodeJS.Signals} [lastSignal]
   */
  constructor(child, lastSignal) {
    const pid = /** @type {number} */ (child.pid);
    this.#pid = pid;
    guardProcess(pid, lastSignal);
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#running = false;
        signalGroup(pid, 'SIGKILL');
        releaseProcess(pid);
        resolve({ code, signal });
      });
    });
  }

  /** Leader of the process group. */
  get pid() {
    return this.#pid;
  }

  get running() {
    return this.#running;
  }

  /**
   * Sends a signal to the whole group; without effect once the program has ended.
   *
   * @param {NodeJS.Signals} signal
   */
  signal(signal) {
    if (this.#running) signalGroup(this.#pid, signal);
  }

  /**
   * Ends the group and resolves when the program is gone.
   *
   * @param {NodeJS.Signals} signal
   * @param {number} patienceMs SIGKILL follows after this long.
   */
  async end(signal = 'SIGKILL', patienceMs = 10_000) {
    this.signal(signal);
    const timer = setTimeout(() => this.signal('SIGKILL'), patienceMs);
    await this.exited;
    clearTimeout(timer);
  }
}

/**
 * @param {number} group
 * @param {NodeJS.Signals} signal
 */
function signalGroup(group, signal) {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
  }
}
