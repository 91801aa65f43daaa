import { LiveTable } from './live-table.mjs';
import { PlainLines } from './plain-lines.mjs';
/** @import { JobBoard } from './job-board.mjs' */

/**
 * @typedef {object} Screen What shows the board.
 * @property {() => void} start Shows it from now on.
 * @property {() => void} finish Leaves what was shown standing, and shows nothing until the next `start`.
 */

/**
 * On a terminal a table that is drawn again in its place, else a line for each change.
 *
 * @param {JobBoard} board
 * @param {NodeJS.WriteStream} output
 * @returns {Screen}
 */
export function openScreen(board, output) {
  return output.isTTY ? new LiveTable(board, output) : new PlainLines(board, output);
}
