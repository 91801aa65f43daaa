import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OwnedProcess } from './owned-process.mjs';
import { guardFolder, releaseFolder } from './watchdog.mjs';
/** @import { Tally } from './tally-reporter.mjs' */

/**
 * @typedef {object} MochaRun
 * @property {string} root Folder to run in; mocha is taken from its node_modules.
 * @property {string[]} files Compiled test files, relative to the root.
 * @property {string[]} [options] More command line options for mocha.
 * @property {NodeJS.ProcessEnv} [env] Default: this process's.
 * @property {string} [skip] Run nothing: name the tests and count them as skipped, for this reason.
 * @property {AbortSignal} [signal] Ends the run, and what its tests have started.
 */

/**
 * One mocha process, with a process group and a temporary folder of its own: what its tests start and write is gone
 * when it ends, however it ends.
 *
 * @param {MochaRun} run
 * @returns {Promise<Tally & { fault?: string }>} `fault`: mocha ended badly though no
 *   test failed, such as on a file that cannot be loaded or on what a test left open; counted as one failed.
 */
export async function runMocha({ root, files, options = [], env = process.env, skip, signal }) {
  const folder = await mkdtemp(join(tmpdir(), 'jobrail-test-'));
  guardFolder(folder);
  // What tests leave in the temporary folder goes with it. A server that they run as another user must pass through.
  await chmod(folder, 0o711);
  await mkdir(join(folder, 'tmp'));
  const tallyFile = join(folder, 'tally.json');
  const reporter = ['--reporter', 'scripts/tally-reporter.mjs', '--reporter-option', `tally=${tallyFile}`];
  if (skip) reporter.push('--reporter-option', `skip=${skip}`, '--dry-run');
  const mocha = await OwnedProcess.start(
    process.execPath,
    ['node_modules/mocha/bin/mocha.js', ...reporter, ...options, ...files],
    { cwd: root, env: { ...env, TMPDIR: join(folder, 'tmp') } },
  );
  const abort = () => void mocha.end('SIGTERM', 2_000);
  signal?.addEventListener('abort', abort);
  const ended = await mocha.exited;
  signal?.removeEventListener('abort', abort);

  const tally = existsSync(tallyFile)
    ? /** @type {Tally} */ (JSON.parse(await readFile(tallyFile, 'utf8')))
    : undefined;
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  releaseFolder(folder);
  if (tally && (ended.code === 0 || tally.failed > 0)) return tally;
  const { passed = 0, failed = 0, skipped = 0, failures } = tally ?? {};
  const when = tally ? 'after its last test' : 'before its last test';
  return {
    passed,
    skipped,
    failed: failed + 1,
    failures,
    fault: `mocha ended with ${ended.signal ?? ended.code} ${when}`,
  };
}
