import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

/* Runs beside the main thread and kills the process when that no longer turns. See watchdog.ts. */

const { beats, limitMs, beatMs } = workerData as { beats: Int32Array; limitMs: number; beatMs: number };

let seen = Atomics.load(beats, 0);
let stoodStillMs = 0;
let lastLook = Date.now();

setInterval(() => {
  const now = Date.now();
  // A process that was stopped as a whole (SIGSTOP, a sleeping laptop) is no reason: count what this thread has seen.
  stoodStillMs += Math.min(now - lastLook, 2 * beatMs);
  lastLook = now;
  const beat = Atomics.load(beats, 0);
  if (beat !== seen) {
    seen = beat;
    stoodStillMs = 0;
  }
  if (stoodStillMs < limitMs) return;
  const line = {
    level: 60,
    time: now,
    pid: process.pid,
    msg: `event loop stood still for ${stoodStillMs} ms; process killed`,
  };
  writeSync(2, `${JSON.stringify(line)}\n`);
  process.kill(process.pid, 'SIGKILL');
}, beatMs);
