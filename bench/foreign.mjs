// Measurements of what runs in Python or Ruby. The program gets the task as JSON and prints lines: `begin` and `end` around
// what is measured, `[…]` with milliseconds, `done` when all is told. It is ended then.
import { execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

/** @returns {Promise<{ command: string, version: string } | undefined>} The first of the commands that can run `args`. */
export async function firstThatRuns(commands, args) {
  for (const command of commands) {
    const ran = await promisify(execFile)(command, args).catch(() => undefined);
    if (ran) return { command, version: ran.stdout.trim() };
  }
  return undefined;
}

/**
 * @param clock starts a stopwatch of time and of the CPU of a process.
 * @returns what the stopwatch told, `took` in ms if there are any, and the peak RSS of the program and its children.
 */
export async function runForeign(command, program, task, clock) {
  const child = spawn(
    command,
    [new URL(`systems/${program}`, import.meta.url).pathname, JSON.stringify(task)],
    {
      detached: true, // a group of its own, to be ended as a whole
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let since;
  let measured = {};
  let took;
  let rssMb;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'begin') since = clock(String(child.pid));
    else if (line === 'end') measured = since();
    if (line.startsWith('[')) took = JSON.parse(line);
    if (line === 'end' || line === 'done') rssMb = peakRssMb(String(child.pid));
    if (line === 'done' || (line === 'end' && task.mode === 'drain')) break;
  }
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // it has ended
  }
  if (rssMb === undefined) throw new Error(`${program} ended before it was done`);
  return { ...measured, took, rssMb };
}

/** Of a process and its children, which share some of it; undefined where it cannot be told. */
function peakRssMb(pid) {
  let kilobytes = 0;
  try {
    for (const other of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const status = statusOf(other);
      if (other === pid || new RegExp(`^PPid:\\s+${pid}$`, 'm').test(status))
        kilobytes += Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    }
  } catch {
    return NaN; // not on Linux
  }
  return kilobytes / 1024;
}

function statusOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return ''; // ended meanwhile
  }
}
