import { cut, LOOKS, queueOf, span } from './table.mjs';
/** @import { Job, JobBoard } from './job-board.mjs' */

const NOTE_WIDTH = 110;

/** A line for each thing that happened to a job, for files and pipes. */
export class PlainLines {
  #board;
  #output;
  #startedAt = 0;
  #shown = false;
  /** What was last told of each job or group. @type {Map<string, string>} */
  #told = new Map();

  /** @param {JobBoard} board @param {NodeJS.WriteStream} output */
  constructor(board, output) {
    this.#board = board;
    this.#output = output;
    board.watch((job) => this.#tell(job));
  }

  start() {
    this.#startedAt ||= Date.now();
    this.#shown = true;
  }

  finish() {
    this.#shown = false;
  }

  /** @param {Job} changed */
  #tell(changed) {
    const job = changed.group === undefined ? changed : this.#group(changed, changed.group);
    const key = job.group ?? job.id;
    const news = `${job.state} ${job.attempts}`;
    // That a job has begun is not worth a line: how it ended comes soon, and tells it too.
    if (!this.#shown || job.state === 'processing' || this.#told.get(key) === news) return;
    this.#told.set(key, news);
    const time = `${((Date.now() - this.#startedAt) / 1_000).toFixed(1)} s`.padStart(7);
    this.#output.write(`${time}  ${lineOf(job)}\n`);
  }

  /**
   * The jobs of a group as one, which ends when the last of them does.
   *
   * @param {Job} job
   * @param {string} group
   * @returns {Job}
   */
  #group(job, group) {
    const jobs = [...this.#board.jobs.values()].filter((member) => member.group === group);
    const state = jobs.every((member) => member.state === 'completed') ? 'completed' : 'pending';
    return { ...job, label: group, state, attempts: 0, ranMs: undefined, note: undefined };
  }
}

/** @param {Job} job */
function lineOf(job) {
  const { state, attempts, waitedMs, ranMs, dueAt, note = '', label, contract } = job;
  const facts = [
    attempts ? `attempt ${attempts}` : '',
    ranMs === undefined ? '' : `waited ${span(waitedMs)}, ran ${span(ranMs)}`,
    dueAt === undefined ? '' : `due in ${span(dueAt - Date.now())}`,
    cut(note, NOTE_WIDTH).trimEnd(),
  ];
  const shown = [
    `${LOOKS[state].sign} ${cut(state, 10)}`,
    cut(label, 22),
    cut(contract, 12),
    cut(queueOf(job), 9),
  ];
  return `${shown.join('  ')}  ${facts.filter(Boolean).join('; ')}`.trimEnd();
}
