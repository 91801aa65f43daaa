/**
 * `npm run check`: types, format, floors and lint, from a fresh clone alone. A line for each step; of a step that
 * fails, all it printed. Every step runs, also after one that failed.
 *
 *   npm run check             all steps
 *   npm run check -- floors   only the steps named: types, format, floors, lint
 */
import { bringUp, install, ROOT, step } from './bring-up.mjs';
/** @import { StepFailed } from './bring-up.mjs' */

/** @param {string[]} args */
const tool = (...args) => step(process.execPath, args, { cwd: ROOT });

/** @type {Record<string, () => Promise<void>>} */
const STEPS = {
  types: () => bringUp(),
  format: () => tool('node_modules/prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.'),
  floors: () => tool('scripts/floors.mjs'),
  lint: () => tool('node_modules/eslint/bin/eslint.js', '--max-warnings=0', '.'),
};

const named = process.argv.slice(2);
const unknown = named.find((name) => !(name in STEPS));
if (unknown !== undefined) {
  console.error(`"${unknown}" is no step of the check; expected ${Object.keys(STEPS).join(', ')}.`);
  process.exit(1);
}
const wanted = named.length ? named : Object.keys(STEPS);
await install({ note: console.log });
// The rules of lint read the declarations that the build of types writes; all others go at once.
if (wanted.includes('types')) await check('types');
await Promise.all(wanted.filter((name) => name !== 'types').map(check));

/** @param {string} name */
async function check(name) {
  const startedAt = Date.now();
  const failure = await STEPS[name]?.().then(
    () => undefined,
    (/** @type {unknown} */ error) => /** @type {StepFailed} */ (error),
  );
  const took = `${((Date.now() - startedAt) / 1000).toFixed(1)} s`;
  console.log(`${failure ? '✖' : '✔'} ${name.padEnd(8)}${took.padStart(8)}`);
  if (!failure) return;
  console.error(`\n${failure.message}\n`);
  process.exitCode = 1;
}
