import { workerData } from 'node:worker_threads';

/* Runs beside an isolate that is a process and ends it when its service is gone, whatever it computes. */

const lookEveryMs = 1_000;

setInterval(() => {
  if (process.ppid !== workerData) process.kill(process.pid, 'SIGKILL');
}, lookEveryMs);
