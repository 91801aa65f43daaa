import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './bring-up.mjs';
import { OwnedProcess } from './owned-process.mjs';

const FOLDER = join(ROOT, 'coverage');
const COMPILED = 'framework/dist/src';

/** What a process needs in its environment to have its coverage counted, and that of the processes it starts. */
export const coverageEnvironment = { NODE_V8_COVERAGE: join(FOLDER, 'tmp') };

/** Forgets what earlier runs have counted. */
export async function clearCoverage() {
  await rm(FOLDER, { recursive: true, force: true });
}

/**
 * Shows what has been counted, as .c8rc.json says; the pages are in `coverage/`.
 *
 * @returns {Promise<boolean>} Whether it is enough.
 */
export async function reportCoverage() {
  const exclude = (await typesOnly()).flatMap((file) => ['--exclude', file]);
  const c8 = await OwnedProcess.start(process.execPath, ['node_modules/c8/bin/c8.js', 'report', ...exclude], {
    cwd: ROOT,
  });
  const { code } = await c8.exited;
  return code === 0;
}

/**
 * Modules of nothing but types compile to nothing, so that no process loads them: they would count as uncovered.
 *
 * @returns {Promise<string[]>}
 */
async function typesOnly() {
  const names = await readdir(join(ROOT, COMPILED), { recursive: true });
  const files = names.filter((name) => name.endsWith('.js')).map((name) => `${COMPILED}/${name}`);
  const texts = await Promise.all(files.map((file) => readFile(join(ROOT, file), 'utf8')));
  return files.filter((_file, index) => /^export \{\};\s*(\/\/#.*)?\s*$/.test(texts[index] ?? ''));
}
