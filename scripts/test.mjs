/**
 * `npm test`: every test of the repository, from a fresh clone alone.
 *
 *   npm test                           everything: the unit tests first, then each workspace
 *   npm test -- --unit                 only test/unit: no network, no server
 *   npm test -- framework              one workspace; also services/email, email, or part of a path
 *   npm test -- --grep 'dead letter'   by title; other options go to mocha (values as --name=value)
 *   npm test -- --coverage             with a coverage report of framework/src; fails below the limit in .c8rc.json
 *
 * Tests get their broker from AMQP_URL and their database from DATABASE_URL; where these are not set, private
 * servers are started, and removed at the end. Where no broker can be had, the tests that need one are skipped by
 * name; with CI set they fail. The last line is the sum over all runs: `N passed, N failed, N skipped`.
 */
import { constants } from 'node:os';
import { bringUp, ROOT, StepFailed } from './bring-up.mjs';
import { clearCoverage, coverageEnvironment, reportCoverage } from './coverage.mjs';
import { runMocha } from './mocha-run.mjs';
import { readArguments } from './test-arguments.mjs';
import { findTestFiles, selectTestFiles } from './test-files.mjs';
import { provideTestServers } from './test-servers.mjs';
/** @import { TestFile } from './test-files.mjs' */
/** @import { TestServers } from './test-servers.mjs' */

const CI = Boolean(process.env.CI);

const { filters, unitOnly, coverage, mochaOptions } = readArguments(process.argv.slice(2));
const interrupted = new AbortController();
/** @type {NodeJS.Signals | undefined} */
let interruptedBy;
const total = { passed: 0, failed: 0, skipped: 0 };
/** What failed, by title: a log of CI may show its end only. @type {string[]} */
const failures = [];
/** What makes the exit code 1 beside failed tests. @type {string[]} */
const faults = [];
/** @type {TestServers | undefined} */
let servers;

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  // A second signal ends this process at once; the watchdog cleans up then.
  process.once(signal, () => {
    interruptedBy = signal;
    interrupted.abort();
  });
}
try {
  await runSelected();
} catch (error) {
  if (!interruptedBy) faults.push(describe(error));
}
await servers?.stop();
if (!interruptedBy && total.passed + total.failed === 0) faults.push('No test was run.');
for (const failure of failures) console.error(`\nFailed: ${failure}`);
for (const fault of faults) console.error(`\n${fault}`);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(exitCode());

async function runSelected() {
  const files = selectTestFiles(await findTestFiles(ROOT), filters);
  const workspaces = [...new Set(files.map((file) => file.workspace))];
  const projects = filters.length ? workspaces : undefined;
  await bringUp({ projects, note: console.log, signal: interrupted.signal });
  if (coverage) await clearCoverage();

  const others = unitOnly ? [] : files.filter((file) => !file.unit);
  const needs = {
    rabbitmq: others.some((file) => file.needsRabbitmq),
    postgres: others.some((file) => file.needsPostgres),
  };
  const starting = provideTestServers(needs, console.log);
  starting.catch(() => undefined); // Thrown where it is awaited, after the unit tests.
  await run(
    'unit',
    files.filter((file) => file.unit),
  );
  servers = await untilInterrupted(starting);
  const report = CI ? (/** @type {string} */ line) => faults.push(line) : console.log;
  for (const { message, mend } of servers.missing) report(`${message} ${mend}`);
  for (const workspace of workspaces) {
    const own = others.filter((file) => file.workspace === workspace);
    const blocked = servers.env.AMQP_URL ? [] : own.filter((file) => file.needsRabbitmq);
    await run(
      workspace,
      own.filter((file) => !blocked.includes(file)),
    );
    await run(workspace, blocked, 'skipped: no RabbitMQ');
  }
  if (coverage && !(await reportCoverage())) faults.push('Coverage is below the limit in .c8rc.json.');
}

/**
 * Runs the files in one mocha process and adds to the total.
 *
 * @param {string} name
 * @param {TestFile[]} files
 * @param {string} [skip] Only name the tests, and count them as skipped, in CI as failed.
 */
async function run(name, files, skip) {
  interrupted.signal.throwIfAborted();
  if (files.length === 0) return;
  console.log(`\n${name}: ${files.length} ${files.length === 1 ? 'file' : 'files'}`);
  const startedAt = Date.now();
  const result = await runMocha({
    root: ROOT,
    files: files.map(({ file }) => file),
    options: mochaOptions,
    env: { ...process.env, ...servers?.env, ...(coverage && coverageEnvironment) },
    skip,
    signal: interrupted.signal,
  });
  interrupted.signal.throwIfAborted();
  console.log(`${name}: ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
  total.passed += result.passed;
  total.failed += result.failed;
  failures.push(...(result.failures ?? []));
  total[skip && CI ? 'failed' : 'skipped'] += result.skipped;
  if (result.fault) faults.push(`${name}: ${result.fault}; counted as one failed.`);
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
function untilInterrupted(promise) {
  return Promise.race([
    promise,
    new Promise((_resolve, reject) => {
      interrupted.signal.addEventListener('abort', () => reject(new Error('interrupted')));
    }),
  ]);
}

/** @returns {number} As a shell has it: 128 + the number of the signal. */
function exitCode() {
  if (interruptedBy) return 128 + constants.signals[interruptedBy];
  return total.failed || faults.length ? 1 : 0;
}

/**
 * @param {unknown} error
 * @returns {string}
 */
function describe(error) {
  if (error instanceof StepFailed || error instanceof RangeError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
