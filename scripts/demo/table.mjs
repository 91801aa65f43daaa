/** @import { Job, State } from './job-board.mjs' */
/** @import { Paint, Style } from './paint.mjs' */

/** @type {Record<State, { sign: string, style: Style }>} */
export const LOOKS = {
  scheduled: { sign: '◷', style: 'magenta' },
  pending: { sign: '○', style: 'dim' },
  processing: { sign: '●', style: 'cyan' },
  retrying: { sign: '↻', style: 'yellow' },
  completed: { sign: '✓', style: 'green' },
  discarded: { sign: '–', style: 'dim' },
  expired: { sign: '–', style: 'yellow' },
  dead: { sign: '✗', style: 'red' },
};

/**
 * @typedef {object} Column
 * @property {string} title
 * @property {number} width
 * @property {'left' | 'right'} [align]
 * @property {number} [from] Shown only where the table is at least so wide.
 * @property {(row: Row, now: number) => string} text
 */

/**
 * @typedef {object} Row One job, or the jobs of one group.
 * @property {string} label
 * @property {string} id
 * @property {Job} job The one whose state is shown.
 * @property {Job[]} jobs
 */

/** A terminal of 80 columns shows all but the id and the note. @type {Column[]} */
const COLUMNS = [
  { title: 'WHAT', width: 20, text: ({ label }) => label },
  { title: 'JOB', width: 14, from: 110, text: ({ id }) => id },
  { title: 'CONTRACT', width: 12, from: 69, text: ({ job }) => job.contract },
  { title: 'QUEUE', width: 8, from: 79, text: ({ job }) => queueOf(job) },
  { title: 'STATE', width: 12, text: ({ job }) => `${LOOKS[job.state].sign} ${job.state}` },
  { title: 'TRY', width: 3, from: 55, align: 'right', text: ({ jobs }) => tries(jobs) },
  {
    title: 'WAITED',
    width: 6,
    from: 55,
    align: 'right',
    text: ({ jobs }, now) => longest(jobs, waited, now),
  },
  { title: 'RAN', width: 6, from: 55, align: 'right', text: ({ jobs }, now) => longest(jobs, ran, now) },
];
const GAP = '  ';

/**
 * The table as lines, none wider than `width`, at most `height` of them. Where it does not fit, jobs that ended
 * first are left out first.
 *
 * @param {Iterable<Job>} jobs
 * @param {{ width: number, height: number, now: number, paint: Paint }} options
 * @returns {string[]}
 */
export function drawTable(jobs, { width, height, now, paint }) {
  const columns = COLUMNS.filter(({ from = 0 }) => width >= from);
  const used = columns.reduce((sum, column) => sum + column.width + GAP.length, 0);
  const noteWidth = width - used;
  const { rows, left } = fit(rowsOf(jobs), height - 1);
  const head = columns.map(({ title, width: cell, align }) => cut(title, cell, align)).join(GAP);
  const lines = [paint('dim', noteWidth >= 12 ? `${head}${GAP}NOTE` : head)];
  if (left > 0) lines.push(paint('dim', `… ${left} ${left === 1 ? 'line' : 'lines'} of earlier jobs`));
  for (const row of rows) {
    const cells = columns.map((column) => {
      const text = cut(column.text(row, now), column.width, column.align);
      return column.title === 'STATE' ? paint(LOOKS[row.job.state].style, text) : text;
    });
    const note = noteWidth >= 12 ? paint('dim', cut(noteOf(row, now), noteWidth).trimEnd()) : '';
    lines.push(`${cells.join(GAP)}${note && GAP}${note}`);
  }
  return lines;
}

/** The end of a job's id, which tells jobs of the same second apart. @param {string} id */
export function shortId(id) {
  return id.replace(/^[0-9a-f-]{28}(?=[0-9a-f]{8})/, '');
}

/** `email`, `email p2` @param {Job} job */
export function queueOf({ queue, priority }) {
  return priority ? `${queue} p${priority}` : queue;
}

/** "850 ms", "12.3 s", "4 min" @param {number | undefined} ms */
export function span(ms) {
  if (ms === undefined) return '';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 100_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

/** @param {Iterable<Job>} jobs @returns {Row[]} */
function rowsOf(jobs) {
  /** @type {Map<string, Job[]>} */
  const groups = new Map();
  for (const job of jobs) {
    const key = job.group ?? job.id;
    groups.set(key, [...(groups.get(key) ?? []), job]);
  }
  return [...groups].map(([key, members]) => {
    const [first] = /** @type {[Job]} */ (members);
    if (first.group === undefined)
      return { label: first.label, id: shortId(first.id), job: first, jobs: members };
    const job = members.find(({ state }) => state === 'processing') ?? members.find(isOpen) ?? first;
    return { label: key, id: `${members.length} jobs`, job, jobs: members };
  });
}

/** @param {Row[]} rows @param {number} height */
function fit(rows, height) {
  if (rows.length <= height) return { rows, left: 0 };
  const surplus = rows.length - Math.max(1, height - 1);
  const dropped = new Set([...rows.filter(({ jobs }) => !jobs.some(isOpen)), ...rows].slice(0, surplus));
  return { rows: rows.filter((row) => !dropped.has(row)), left: dropped.size };
}

/** @param {Row} row @param {number} now */
function noteOf({ job, jobs }, now) {
  if (jobs.length > 1) {
    const open = jobs.filter(isOpen).length;
    return open ? `${jobs.length - open} of ${jobs.length} done` : `all ${jobs.length} done`;
  }
  const due = job.dueAt !== undefined && isOpen(job) && job.dueAt > now && `in ${span(job.dueAt - now)}`;
  return [due, job.note].filter(Boolean).join(': ');
}

/** @param {Job} job */
function isOpen({ state }) {
  return !['completed', 'discarded', 'expired', 'dead'].includes(state);
}

/** @param {Job} job @param {number} now */
function waited({ state, waitedMs, since }, now) {
  return state === 'pending' ? now - since : waitedMs;
}

/** @param {Job} job @param {number} now */
function ran({ state, ranMs, since }, now) {
  return state === 'processing' ? now - since : ranMs;
}

/** @param {Job[]} jobs */
function tries(jobs) {
  return String(Math.max(...jobs.map(({ attempts }) => attempts)) || '');
}

/**
 * @param {Job[]} jobs
 * @param {(job: Job, now: number) => number | undefined} timeOf
 * @param {number} now
 */
function longest(jobs, timeOf, now) {
  const times = jobs.map((job) => timeOf(job, now)).filter((time) => time !== undefined);
  return times.length ? span(Math.max(0, ...times)) : '';
}

/**
 * Exactly `width` characters.
 *
 * @param {string} text
 * @param {number} width
 * @param {'left' | 'right'} [align]
 */
export function cut(text, width, align = 'left') {
  const plain = text.replace(/\s+/g, ' ');
  const fitted = plain.length > width ? `${plain.slice(0, width - 1)}…` : plain;
  return align === 'left' ? fitted.padEnd(width) : fitted.padStart(width);
}
