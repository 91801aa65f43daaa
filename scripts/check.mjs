/**
 * `npm run check`: format, types, floors and lint, from a fresh clone alone. A line for each step; of a step that
 * fails, all it printed. Every step runs, also after one that failed.
 *
 *   npm run check             all steps
 *   npm run check -- floors   only the steps named: format, types, floors, lint
 */
import { bringUp, install, ROOT, step } from './bring-up.mjs';
/** @import { StepFailed } from './bring-up.mjs' */

/** @param {string[]} args */
const tool = (...args) => step(process.execPath, args, { cwd: ROOT });

/** Lint comes after types: its rules read the declarations that the build writes. @type {Record<string, () => Promise<void>>} */
const STEPS = {
  format: () => tool('node_modules/prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.'),
  types: () => bringUp(),
  floors: () => tool('scripts/floors.mjs'),
  lint: () => tool('node_modules/eslint/bin/eslint.js', '--max-warnings=0', '.'),
};

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !(name in STEPS));
if (unknown !== undefined) {
  console.error(`"${unknown}" is no step of the check; expected ${Object.keys(STEPS).join(', ')}.`);
  process.exit(1);
}
await install({ note: console.log });
for (const [name, run] of Object.entries(STEPS)) {
  if (wanted.length && !wanted.includes(name)) continue;
  const startedAt = Date.now();
  const failure = await run().then(
    () => undefined,
    (/** @type {unknown} */ error) => /** @type {StepFailed} */ (error),
  );
  const took = `${((Date.now() - startedAt) / 1000).toFixed(1)} s`;
  console.log(`${failure ? '✖' : '✔'} ${name.padEnd(8)}${took.padStart(8)}`);
  if (failure) {
    console.error(`\n${failure.message}\n`);
    process.exitCode = 1;
  }
}
