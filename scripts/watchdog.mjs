/**
 * Nothing is left behind. A process that starts a private broker or database names what it owns here, and one
 * small detached process (`watchdog-process.mjs`, started on first use) ends and removes it as soon as the
 * owner is gone, in whatever way it went: end of script, Ctrl-C, an uncaught error, or SIGKILL. The owner needs
 * no signal handlers for it. What the owner has cleaned up itself it releases.
 *
 * A guarded process must lead its own process group (`spawn(…, { detached: true })`): the group is ended.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
/** @import { Socket } from 'node:net' */

/**
 * @typedef {object} GuardOrder What the owner tells its watchdog.
 * @property {'guard' | 'release'} verb
 * @property {'process' | 'folder' | 'command'} kind
 * @property {string} key The pid, the path or the command line: what a release refers to.
 * @property {string[]} [command]
 * @property {NodeJS.Signals} [signal] For a process: how it is asked to end. SIGKILL follows after 3 s.
 */

/** @type {ReturnType<typeof startWatchdog> | undefined} */
let watchdog;

/**
 * @param {number} pid Leader of a process group.
 * @param {NodeJS.Signals} signal Default SIGKILL; another one where a hard end would leave something, as PostgreSQL its shared memory.
 */
export function guardProcess(pid, signal = 'SIGKILL') {
  tell({ verb: 'guard', kind: 'process', key: String(pid), signal });
}

/** @param {number} pid */
export function releaseProcess(pid) {
  tell({ verb: 'release', kind: 'process', key: String(pid) });
}

/** @param {string} path Removed with all it holds, after the processes have ended. */
export function guardFolder(path) {
  tell({ verb: 'guard', kind: 'folder', key: path });
}

/** @param {string} path */
export function releaseFolder(path) {
  tell({ verb: 'release', kind: 'folder', key: path });
}

/** @param {string[]} command Run at the end, for what is no child process: `['docker', 'rm', '-f', name]`. */
export function guardByCommand(command) {
  tell({ verb: 'guard', kind: 'command', key: command.join(' '), command });
}

/** @param {string[]} command */
export function releaseCommand(command) {
  tell({ verb: 'release', kind: 'command', key: command.join(' ') });
}

/** @param {GuardOrder} order */
function tell(order) {
  const alive = watchdog?.exitCode === null && watchdog.signalCode === null;
  if (!watchdog || !alive) watchdog = startWatchdog();
  // A pipe, not an IPC channel: what was written before this process died is read all the same.
  watchdog.stdin.write(`${JSON.stringify(order)}\n`);
}

function startWatchdog() {
  const { NODE_OPTIONS: _options, NODE_V8_COVERAGE: _coverage, ...env } = process.env;
  const program = fileURLToPath(new URL('watchdog-process.mjs', import.meta.url));
  const child = spawn(process.execPath, [program], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env,
  });
  child.stdin.on('error', () => undefined); // Killed by hand: the next order starts another.
  child.unref();
  /** @type {Socket} */ (child.stdin).unref();
  return child;
}
