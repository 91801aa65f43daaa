import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Recorder } from '../contract/recorder.js';
import type { Endings } from './endings.js';

/** A process that a test started, and what it tells. */
export interface Child {
  readonly process: ChildProcess;
  readonly told: Recorder<string>;
  readonly output: { stdout: string; stderr: string };
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
}

/** Runs a compiled script; it is gone after the test, come what may. */
export function startChild(endings: Pick<Endings, 'atEnd'>, script: URL, env: NodeJS.ProcessEnv = {}): Child {
  const child = fork(script, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const told = new Recorder<string>(`words of ${script.pathname.split('/').at(-1)}`);
  const output = { stdout: '', stderr: '' };
  child.stdout!.on('data', (text: Buffer) => (output.stdout += text.toString()));
  child.stderr!.on('data', (text: Buffer) => (output.stderr += text.toString()));
  child.on('message', (word) => told.record(word as string));
  const exited = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  endings.atEnd(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  });
  return { process: child, told, output, exited };
}
