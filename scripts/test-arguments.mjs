/** Options of mocha whose value is the next argument; of others it is given as `--name=value`. */
const WITH_VALUE = new Set(['--grep', '-g', '--fgrep', '-f']);

/**
 * @typedef {object} TestArguments
 * @property {string[]} filters Which files; see `selectTestFiles`.
 * @property {boolean} unitOnly
 * @property {boolean} coverage
 * @property {string[]} mochaOptions Everything else that starts with a dash.
 */

/**
 * @param {string[]} args Of the command line, after the script.
 * @returns {TestArguments}
 */
export function readArguments(args) {
  /** @type {TestArguments} */
  const read = { filters: [], unitOnly: false, coverage: false, mochaOptions: [] };
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === '--unit') read.unitOnly = true;
    else if (arg === '--coverage') read.coverage = true;
    else if (WITH_VALUE.has(arg)) read.mochaOptions.push(arg, ...rest.splice(0, 1));
    else if (arg.startsWith('-')) read.mochaOptions.push(arg);
    else read.filters.push(arg);
  }
  return read;
}
