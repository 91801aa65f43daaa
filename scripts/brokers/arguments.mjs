import { readArguments as readTestArguments } from '../test-arguments.mjs';

/**
 * @typedef {object} BrokerTestArguments
 * @property {string[]} only Names of brokers; none: all.
 * @property {boolean} update
 * @property {string[]} filters Which files; see `selectTestFiles`.
 * @property {string[]} mochaOptions
 */

/**
 * @param {string[]} args Of the command line, after the script.
 * @param {string[]} names Of the brokers there are.
 * @returns {BrokerTestArguments}
 * @throws {Error} for `--only` with another name.
 */
export function readArguments(args, names) {
  /** @type {string[]} */
  const only = [];
  /** @type {string[]} */
  const others = [];
  const rest = args.flatMap((arg) => (arg.startsWith('--only=') ? ['--only', arg.slice(7)] : [arg]));
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === '--only') only.push(known(rest.shift(), names));
    else if (arg !== '--update') others.push(arg);
  }
  const { filters, mochaOptions } = readTestArguments(others);
  return { only, update: args.includes('--update'), filters, mochaOptions };
}

/**
 * @param {string | undefined} name
 * @param {string[]} names
 */
function known(name, names) {
  if (name !== undefined && names.includes(name)) return name;
  throw new Error(
    `--only is ${name === undefined ? 'empty' : `"${name}"`}; expected one of: ${names.join(', ')}.`,
  );
}
