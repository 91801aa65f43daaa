import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { ROOT } from '../bring-up.mjs';
import { guardProcess, releaseProcess } from '../watchdog.mjs';
import { readLogLine } from './log-line.mjs';

const TAIL_LINES = 15;
const PATIENCE_MS = 15_000;

/** A service that ended although nobody asked it to. The message holds the last lines of its log. */
export class ServiceEnded extends Error {
  /** @override */
  name = 'ServiceEnded';
}

/**
 * A service as a process of its own, in a process group of its own so that the terminal's Ctrl-C reaches only the
 * demo, which ends its services in good order. It never outlives the demo (see ../watchdog.mjs).
 */
export class ServiceProcess {
  #name;
  #child;
  #ending = false;
  /** @type {string[]} */
  #tail = [];

  /** Rejects with ServiceEnded when it ends unasked; else resolves once it has ended. @type {Promise<void>} */
  ended;

  /**
   * @param {object} options
   * @param {string} options.name Folder under services/.
   * @param {NodeJS.ProcessEnv} options.env
   * @param {string} options.logFile Gets all it prints.
   * @param {(line: string) => void} options.onLine Told each line of its output.
   */
  constructor({ name, env, logFile, onLine }) {
    this.#name = name;
    const main = ['--enable-source-maps', `services/${name}/dist/src/main.js`];
    const child = spawn(process.execPath, main, {
      cwd: ROOT,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const { pid } = child;
    if (pid) guardProcess(pid, 'SIGTERM');
    const log = createWriteStream(logFile);
    for (const stream of [child.stdout, child.stderr]) {
      stream.pipe(log, { end: false });
      createInterface({ input: stream }).on('line', (line) => {
        this.#tail = [...this.#tail, line].slice(-TAIL_LINES);
        onLine(line);
      });
    }
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        log.end();
        if (pid) releaseProcess(pid);
        if (this.#ending) resolve();
        else reject(this.#endedUnasked(signal ?? `exit code ${code}`, logFile));
      });
    });
    this.ended.catch(() => undefined); // Handled by whoever waits for it.
  }

  /** SIGTERM, upon which it finishes what it is doing; SIGKILL follows after 15 s. */
  async stop() {
    this.#ending = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS);
    await this.ended.catch(() => undefined);
    clearTimeout(timer);
  }

  /** @param {string} how @param {string} logFile */
  #endedUnasked(how, logFile) {
    const tail = this.#tail.map((line) => `    ${readable(line)}`).join('\n');
    return new ServiceEnded(
      `Service ${this.#name} ended with ${how}. Its log (${logFile}) ends so:\n${tail}`,
    );
  }
}

/** A log line as a person would write it. @param {string} line */
function readable(line) {
  const entry = readLogLine(line);
  if (!entry) return line;
  const weight = entry.level >= 50 ? 'error' : entry.level >= 40 ? 'warn' : 'info';
  return `${weight}: ${entry.msg}${entry.err?.message ? ` (${entry.err.message})` : ''}`;
}
