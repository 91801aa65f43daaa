/**
 * `npm run demo`: real jobs through four services over RabbitMQ, from a fresh clone alone. See demo/options.mjs for
 * what it takes, and demo/run.mjs for what it does.
 *
 * A first Ctrl-C ends it in good order, a second one at once; either way no process and no broker stays behind.
 */
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { build, install, ROOT } from './bring-up.mjs';
import { USAGE, readOptions } from './demo/options.mjs';
import { SERVICES } from './demo/service-settings.mjs';
/** @import { DemoOptions } from './demo/options.mjs' */

/** npm passes the terminal's Ctrl-C on to a program that has had it from the terminal already. */
const SAME_SIGNAL_MS = 300;

const interrupted = new AbortController();
/** @type {NodeJS.Signals | undefined} */
let endedBy;
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  let firstAt = 0;
  process.on(signal, () => {
    if (!endedBy) firstAt = Date.now();
    else if (Date.now() - firstAt > SAME_SIGNAL_MS) process.exit(exitCode(endedBy));
    endedBy ??= signal;
    interrupted.abort(new Error(`ended by ${signal}`));
  });
}

process.exit(await demo());

/** @returns {Promise<number>} The exit code. */
async function demo() {
  /** @type {DemoOptions} */
  let options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${describe(error)}\n\n${USAGE}`);
    return 2;
  }
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  try {
    await makeReady();
    const { runDemo } = await import('./demo/run.mjs');
    return (await runDemo(options, interrupted.signal)) ? 0 : 1;
  } catch (error) {
    if (endedBy) {
      console.log('Ended; nothing is left running.');
      return options.once || endedBy !== 'SIGINT' ? exitCode(endedBy) : 0;
    }
    console.error(`\nThe demo failed: ${describe(error)}`);
    return 1;
  }
}

/** Installs and builds what the demo runs, which on a fresh clone takes a minute or two. */
async function makeReady() {
  const { signal } = interrupted;
  await install({ note: console.log, signal });
  const mains = SERVICES.map((name) => join(ROOT, 'services', name, 'dist/src/main.js'));
  if (!mains.every(existsSync)) console.log('Building (tsc) …');
  await build({ projects: SERVICES.map((name) => `services/${name}`), signal });
}

/** What went wrong, and what to do about it where the error says so. @param {unknown} error */
function describe(error) {
  if (!(error instanceof Error)) return String(error);
  const { mend } = /** @type {{ mend?: string }} */ (error);
  return mend && !error.message.includes(mend) ? `${error.message} ${mend}` : error.message;
}

/** @param {NodeJS.Signals} signal */
function exitCode(signal) {
  return 128 + constants.signals[signal];
}
