/**
 * @typedef {'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan'} Style
 * @typedef {(style: Style, text: string) => string} Paint
 */

/** @type {Record<Style, [number, number]>} */
const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
};

/**
 * Colours for this output: none unless it is a terminal, and none where NO_COLOR is set (https://no-color.org).
 *
 * @param {{ isTTY?: boolean }} output
 * @param {NodeJS.ProcessEnv} env
 * @returns {Paint}
 */
export function paintFor(output, env = process.env) {
  const coloured = output.isTTY && !env.NO_COLOR && env.TERM !== 'dumb';
  if (!coloured) return (_style, text) => text;
  return (style, text) => `\x1b[${CODES[style][0]}m${text}\x1b[${CODES[style][1]}m`;
}
