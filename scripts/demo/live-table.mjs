import { paintFor } from './paint.mjs';
import { drawTable } from './table.mjs';
/** @import { JobBoard } from './job-board.mjs' */

const FRAME_MS = 100;
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/** The table, drawn over itself ten times a second. */
export class LiveTable {
  #board;
  #output;
  #paint;
  /** Lines of the last frame. */
  #height = 0;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;

  /** @param {JobBoard} board @param {NodeJS.WriteStream} output */
  constructor(board, output) {
    this.#board = board;
    this.#output = output;
    this.#paint = paintFor(output);
  }

  start() {
    if (this.#timer) return;
    this.#output.write(HIDE_CURSOR);
    this.#timer = setInterval(() => this.#draw(), FRAME_MS);
  }

  finish() {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#draw();
    this.#height = 0;
    this.#output.write(SHOW_CURSOR);
  }

  #draw() {
    const { columns, rows } = this.#output;
    const lines = drawTable(this.#board.jobs.values(), {
      width: columns - 1,
      height: rows - 1,
      now: Date.now(),
      paint: this.#paint,
    });
    const up = this.#height ? `\x1b[${this.#height}A` : '';
    // Each line is cleared behind its end only: clearing all first would flicker.
    this.#output.write(`${up}\r${lines.map((line) => `${line}${CLEAR_LINE}\n`).join('')}${CLEAR_BELOW}`);
    this.#height = lines.length;
  }
}
