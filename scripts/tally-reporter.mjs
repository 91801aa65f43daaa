import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

/** After the last test a process gets this long to end by itself; what still keeps it alive was leaked by a test. */
const LEAK_MS = 5_000;

/**
 * @typedef {object} Tally
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {string[]} [failures] Each failed test: its full title and the first line of its error.
 */

/**
 * Shows the run as mocha's spec reporter does and writes its tally to a file, so that `npm test` can add up
 * several runs. Reporter options: `tally`, the file; `skip`, a reason: then the run is a dry one, whose tests
 * are named and counted as skipped.
 */
export default class TallyReporter extends Mocha.reporters.Base {
  /**
   * @param {Mocha.Runner} runner
   * @param {{ reporterOptions: { tally: string, skip?: string } }} options
   */
  constructor(runner, options) {
    super(runner, /** @type {Mocha.MochaOptions} */ (options));
    const { tally: file, skip } = options.reporterOptions;
    /** @type {Tally} */
    const tally = { passed: 0, failed: 0, skipped: 0, failures: [] };
    const { EVENT_TEST_PASS, EVENT_TEST_FAIL, EVENT_TEST_PENDING, EVENT_RUN_END } = Mocha.Runner.constants;

    if (skip === undefined) new Mocha.reporters.Spec(runner, /** @type {Mocha.MochaOptions} */ (options));
    runner.on(EVENT_TEST_PASS, (test) => {
      if (skip === undefined) tally.passed += 1;
      else {
        tally.skipped += 1;
        console.log(`  - ${test.fullTitle()} (${skip})`);
      }
    });
    runner.on(EVENT_TEST_FAIL, (test, error) => {
      tally.failed += 1;
      tally.failures?.push(`${test.fullTitle()}: ${String(error?.message ?? error).split('\n', 1)[0]}`);
    });
    runner.on(EVENT_TEST_PENDING, () => (tally.skipped += 1));
    runner.once(EVENT_RUN_END, () => {
      writeFileSync(file, JSON.stringify(tally));
      setTimeout(() => {
        console.error(`  The tests are over, but this keeps the process alive: ${openResources()}.`);
        console.error('  A test did not close what it opened.');
        writeFileSync(file, JSON.stringify({ ...tally, failed: tally.failed + 1 }));
        process.exit(1);
      }, LEAK_MS).unref();
    });
  }
}

function openResources() {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${name} ×${count}`).join(', ');
}
