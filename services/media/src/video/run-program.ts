import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface ProgramRun {
  /** Null when a signal ended it. */
  exitCode: number | null;
  /** The signal that ended it, such as `SIGKILL` from the kernel when memory ran out. */
  killedBy: NodeJS.Signals | null;
  /** The last `errorTailBytes` of what it wrote to its error output. */
  errorTail: string;
}

const errorTailBytes = 4_096;

/**
 * Runs a program, without a shell, and resolves when it has ended and closed its output, whatever its exit code.
 * It gets no input, and of the environment only what loading it takes: the credentials of the service stay here.
 * @param options.onLine is called with each line of its output.
 * @param options.signal kills it (SIGKILL: its output is thrown away, so there is nothing to finish); the promise
 * rejects with the signal's reason only once it is gone, so its files can be removed then.
 * @throws the signal's reason; the error of `spawn` (`code` ENOENT, EACCES, EAGAIN …) when it could not be started.
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: { signal?: AbortSignal; onLine?: (line: string) => void } = {},
): Promise<ProgramRun> {
  const { signal, onLine } = options;
  signal?.throwIfAborted();
  const child: ChildProcess = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment() });
  const ended = endOf(child);
  const kill = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', kill, { once: true });
  // Without file descriptors left there are no pipes; `ended` tells so.
  if (child.stdout) {
    if (onLine) createInterface({ input: child.stdout }).on('line', onLine);
    else child.stdout.resume();
  }
  try {
    return await ended;
  } finally {
    signal?.removeEventListener('abort', kill);
    signal?.throwIfAborted();
  }
}

function endOf(child: ChildProcess): Promise<ProgramRun> {
  let tail = Buffer.alloc(0);
  child.stderr?.on('data', (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-errorTailBytes);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, killedBy) => {
      resolve({ exitCode, killedBy, errorTail: tail.toString('utf8').trim() });
    });
  });
}

function environment(): NodeJS.ProcessEnv {
  const { PATH, LD_LIBRARY_PATH, TMPDIR } = process.env;
  // LC_ALL=C keeps error texts in English: some failures can be told apart by nothing else.
  return { PATH, LD_LIBRARY_PATH, TMPDIR, LC_ALL: 'C' };
}
