import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Stage } from './stage.js';

const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
export const cliContracts = fileURLToPath(new URL('../fixtures/cli-contracts.js', import.meta.url));

export interface CliRun {
  code: number;
  out: string;
  err: string;
  json<T>(): T;
}

/** Runs `jobrail` with these words on the corner of a stage. */
export function jobrail(
  stage: Stage,
  words: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<CliRun> {
  const child = spawn(process.execPath, [main, ...words], {
    env: { ...process.env, ...stage.env, COLUMNS: '100', JOBRAIL_BY: 'ada@test', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return new Promise((resolve, reject) => {
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, out, err, json: <T>() => JSON.parse(out) as T }));
  });
}

/** Starts `jobrail` and gives its lines as they come; `stop` ends it as Ctrl-C does and gives its exit code. */
export function followJobrail(stage: Stage, words: readonly string[], onLine: (line: string) => void) {
  const child = spawn(process.execPath, [main, ...words], {
    env: { ...process.env, ...stage.env, JOBRAIL_BY: 'ada@test' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let rest = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop()!;
    lines.forEach(onLine);
  });
  const ended = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
  stage.atEnd(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { stop: () => (child.kill('SIGINT'), ended) };
}
