/**
 * `npm run test:brokers`: the contract, flow and fault suites of the framework on every RabbitMQ that Jobrail supports.
 *
 *   npm run test:brokers                            3.10, 4.0, 4.3 and a cluster of three nodes, one after another
 *   npm run test:brokers -- --only 4.3              one of them; may be given several times
 *   npm run test:brokers -- test/contract           only test files with this in their path
 *   npm run test:brokers -- --grep 'dead letter'    by title; other options go to mocha (values as --name=value)
 *   npm run test:brokers -- --update                download again what is in the cache (Debian testing moves on)
 *
 * Brokers that are not installed are unpacked from Debian's packages into the cache folder of this user, see
 * brokers/debian-packages.mjs. The last lines are a table; the exit code is 1 when a test failed or a broker could
 * not be had.
 */
import { constants } from 'node:os';
import { bringUp, ROOT } from './bring-up.mjs';
import { brokers, startBroker } from './brokers/brokers.mjs';
import { readArguments } from './brokers/arguments.mjs';
import { showResults } from './brokers/results.mjs';
import { runMocha } from './mocha-run.mjs';
import { findTestFiles, selectTestFiles } from './test-files.mjs';
import { Unavailable } from './unavailable.mjs';
/** @import { TestedBroker } from './brokers/brokers.mjs' */
/** @import { BrokerResult } from './brokers/results.mjs' */

const SUITES = ['framework/test/contract/', 'framework/test/flow/', 'framework/test/fault/'];
/** The contract suite on the memory broker. */
const ON_MEMORY = 'framework/test/contract/broker-memory.test.ts';

const { only, update, filters, mochaOptions } = readArguments(
  process.argv.slice(2),
  brokers.map(({ name }) => name),
);
const interrupted = new AbortController();
/** @type {NodeJS.Signals | undefined} */
let interruptedBy;
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  // A second signal ends this process at once; the watchdog cleans up then.
  process.once(signal, () => {
    interruptedBy = signal;
    interrupted.abort();
  });
}

const inSuites = (await findTestFiles(ROOT)).filter(
  ({ source }) => SUITES.some((suite) => source.startsWith(suite)) && source !== ON_MEMORY,
);
const files = selectTestFiles(inSuites, filters).map(({ file }) => file);
await bringUp({ projects: ['framework'], note: console.log, signal: interrupted.signal });

/** @type {BrokerResult[]} */
const results = [];
for (const broker of brokers.filter(({ name }) => only.length === 0 || only.includes(name))) {
  if (interruptedBy) break;
  results.push(await testOn(broker));
}
console.log(`\n${showResults(results)}`);
const good = results.every(({ passed, failed, fault }) => passed > 0 && failed === 0 && !fault);
process.exit(interruptedBy ? 128 + constants.signals[interruptedBy] : good ? 0 : 1);

/**
 * @param {TestedBroker} tested
 * @returns {Promise<BrokerResult>}
 */
async function testOn(tested) {
  const startedAt = Date.now();
  console.log(`\n${'─'.repeat(30)} ${tested.name}`);
  try {
    const broker = await startBroker(tested, { update, note: console.log });
    console.log(`RabbitMQ ${broker.version} at ${broker.url} (private)`);
    try {
      // Tests that start a broker of their own start the same one.
      const env = { ...process.env, AMQP_URL: broker.url, JOBRAIL_RABBITMQ_SERVER: broker.server };
      const tally = await runMocha({
        root: ROOT,
        files,
        options: mochaOptions,
        env,
        signal: interrupted.signal,
      });
      return { name: tested.name, version: broker.version, ...tally, ms: Date.now() - startedAt };
    } finally {
      await broker.stop();
    }
  } catch (error) {
    const fault = error instanceof Unavailable ? `${error.message} ${error.mend}` : describe(error);
    console.error(fault);
    return { name: tested.name, passed: 0, failed: 0, skipped: 0, fault, ms: Date.now() - startedAt };
  }
}

/**
 * @param {unknown} error
 * @returns {string}
 */
function describe(error) {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
