/**
 * The detached half of `watchdog.mjs`: reads from stdin what its owner guards, an order a line. When the input ends
 * (which the kernel sees to, however the owner ended) it ends the processes, runs the commands and removes the folders.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
/** @import { GuardOrder } from './watchdog.mjs' */

const PATIENCE_MS = 3_000;

/** @type {Map<string, GuardOrder>} */
const guarded = new Map();

// Signals meant for the owner's terminal or group are not for the one who cleans up after it.
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => undefined);
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = /** @type {GuardOrder} */ (JSON.parse(line));
  const key = `${order.kind} ${order.key}`;
  if (order.verb === 'guard') guarded.set(key, order);
  else guarded.delete(key);
}
await cleanUp();

async function cleanUp() {
  const orders = [...guarded.values()];
  const ofKind = (/** @type {string} */ kind) => orders.filter((order) => order.kind === kind);
  await Promise.all(ofKind('process').map((order) => end(Number(order.key), order.signal ?? 'SIGKILL')));
  await Promise.all(ofKind('command').map((order) => run(order.command ?? [])));
  await Promise.all(
    ofKind('folder').map((order) => rm(order.key, { recursive: true, force: true, maxRetries: 10 })),
  );
}

/**
 * @param {number} group
 * @param {NodeJS.Signals} signal
 */
async function end(group, signal) {
  const killAt = Date.now() + PATIENCE_MS;
  send(group, signal);
  while (isRunning(group) && Date.now() < killAt) await pause(20);
  send(group, 'SIGKILL');
}

/**
 * Whether the leader of the group runs. One that has ended and that nobody has collected yet does not.
 *
 * @param {number} leader
 * @returns {boolean}
 */
function isRunning(leader) {
  if (!send(leader, 0)) return false;
  try {
    return !/\) Z /.test(readFileSync(`/proc/${leader}/stat`, 'utf8'));
  } catch {
    return existsSync(`/proc/${leader}`) || !existsSync('/proc/self');
  }
}

/**
 * @param {number} group
 * @param {NodeJS.Signals | 0} signal
 * @returns {boolean} Whether the group still had a member.
 */
function send(group, signal) {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {string[]} command
 * @returns {Promise<void>}
 */
function run([program = '', ...args]) {
  return new Promise((resolve) => {
    spawn(program, args, { stdio: 'ignore' })
      .once('error', () => resolve())
      .once('exit', () => resolve());
  });
}
