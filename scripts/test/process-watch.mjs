import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Whether a process runs; one that has ended and is only not yet collected does not.
 *
 * @param {number} pid
 */
export function isRunning(pid) {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/**
 * The processes whose command line or environment names this text, without this one.
 *
 * @param {string} text
 * @returns {number[]}
 */
export function processesNaming(text) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      if (pid === process.pid || !isRunning(pid)) return false;
      try {
        return ['cmdline', 'environ'].some((file) =>
          readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(text),
        );
      } catch {
        return false;
      }
    });
}

/**
 * @param {() => boolean} condition
 * @param {number} withinMs
 * @returns {Promise<boolean>} Whether it came true in time.
 */
export async function comesTrue(condition, withinMs = 10_000) {
  const deadline = Date.now() + withinMs;
  while (!condition()) {
    if (Date.now() > deadline) return false;
    await pause(20);
  }
  return true;
}

/** @param {string} path */
export const isGone = (path) => () => !existsSync(path);
