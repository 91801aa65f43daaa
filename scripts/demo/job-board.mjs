import { Changes } from './changes.mjs';
import { readLogLine } from './log-line.mjs';
/** @import { LogLine } from './log-line.mjs' */

/**
 * @typedef {'scheduled' | 'pending' | 'processing' | 'retrying' | 'completed' | 'discarded' | 'expired' | 'dead'} State
 */

/**
 * @typedef {object} Job As far as the demo has heard of it.
 * @property {string} id
 * @property {string} label What it is, for people: "welcome Ada".
 * @property {string} [group] Jobs of one group share a line.
 * @property {string} contract
 * @property {string} queue
 * @property {number} priority
 * @property {State} state
 * @property {number} attempts
 * @property {number} [waitedMs] Of the last attempt: from when it could start to its start.
 * @property {number} [ranMs] Of the last attempt.
 * @property {number} since Milliseconds since 1970 of the last change.
 * @property {number} [dueAt] When it can start, while it is scheduled or retrying.
 * @property {string} [note] Why it failed, or how far it is.
 */

/** @type {ReadonlySet<State>} */
const FINAL = new Set(['completed', 'discarded', 'expired', 'dead']);

/** @type {Record<string, State>} */
const STATE_AFTER = {
  completed: 'completed',
  retry: 'retrying',
  snooze: 'scheduled',
  discard: 'discarded',
  dead: 'dead',
  expired: 'expired',
  released: 'pending',
};

/** A run that goes on for hours must not fill the memory. */
const MOST_KEPT = 500;

/**
 * What is known of each job: that it was enqueued, from the producer; the rest from the log lines of the services,
 * which a person could read in the same way.
 */
export class JobBoard {
  /** In the order in which they were first heard of. @type {Map<string, Job>} */
  jobs = new Map();
  changes = new Changes();
  /** Told of each change of a job, after it. @type {Set<(job: Job) => void>} */
  #watchers = new Set();
  /** @type {Map<string, string>} */
  #labels = new Map();

  /** @param {(job: Job) => void} watcher */
  watch(watcher) {
    this.#watchers.add(watcher);
  }

  /** Names a job that a service will enqueue. @param {string} id @param {string} label */
  name(id, label) {
    this.#labels.set(id, label);
    const job = this.jobs.get(id);
    if (job) job.label = label;
  }

  /**
   * The broker has confirmed a job. Its service may have been quicker: what is known already stays.
   *
   * @param {Pick<Job, 'id' | 'label' | 'contract' | 'queue'> & Partial<Job>} enqueued
   */
  enqueued(enqueued) {
    const { id, label, group, dueAt } = enqueued;
    this.name(id, label);
    const known = this.jobs.get(id);
    if (known && group !== undefined) known.group = group;
    if (known) return this.#tell(known);
    const job = { priority: 0, attempts: 0, since: Date.now(), ...enqueued };
    this.#put({ ...job, state: dueAt === undefined ? 'pending' : 'scheduled' });
  }

  /** Reads one line of a service's log; what is not about a job is passed over. @param {string} line */
  logLine(line) {
    const entry = readLogLine(line);
    if (!entry?.job || !entry.contract) return;
    const job = this.jobs.get(entry.job) ?? this.#heardOf(entry.job, entry);
    job.since = entry.time;
    job.attempts = entry.attempt ?? job.attempts;
    if (entry.msg === 'job progress') job.note = progressOf(entry);
    else if (entry.outcome === 'started') start(job);
    else if (entry.outcome !== undefined) end(job, entry);
    else return;
    this.#put(job);
  }

  /** Drops what has ended. */
  forgetEnded() {
    for (const [id, { state }] of this.jobs) if (FINAL.has(state)) this.jobs.delete(id);
  }

  /** @param {(job: Job) => boolean} [which] Default: all. @returns {boolean} Whether none of them is still under way. */
  allFinal(which = () => true) {
    return [...this.jobs.values()].every((job) => !which(job) || FINAL.has(job.state));
  }

  /** @param {string} id @returns {boolean} */
  isFinal(id) {
    const job = this.jobs.get(id);
    return job !== undefined && FINAL.has(job.state);
  }

  /**
   * A job that nobody told of before its service: a child job, or one whose producer was slower.
   *
   * @param {string} id
   * @param {LogLine} entry
   * @returns {Job}
   */
  #heardOf(id, { contract = '', queue = '', priority = 0, time }) {
    const label = this.#labels.get(id) ?? contract;
    return { id, label, contract, queue, priority, state: 'pending', attempts: 0, since: time };
  }

  /** @param {Job} job */
  #put(job) {
    this.jobs.set(job.id, job);
    for (const [id, { state }] of this.jobs) {
      if (this.jobs.size <= MOST_KEPT) break;
      if (FINAL.has(state)) {
        this.jobs.delete(id);
        this.#labels.delete(id);
      }
    }
    this.#tell(job);
  }

  /** @param {Job} job */
  #tell(job) {
    for (const watcher of this.#watchers) watcher(job);
    this.changes.tell();
  }
}

/** @param {Job} job */
function start(job) {
  job.state = 'processing';
  delete job.waitedMs;
  delete job.ranMs;
  delete job.dueAt;
  delete job.note;
}

/** @param {Job} job @param {LogLine} entry */
function end(job, entry) {
  const { outcome = '', waitedMs, ranMs, inMs, time, reason, err } = entry;
  job.state = STATE_AFTER[outcome] ?? job.state;
  job.waitedMs = waitedMs;
  job.ranMs = ranMs;
  delete job.note;
  if (inMs !== undefined) job.dueAt = time + inMs;
  const why = err?.message ?? reason;
  if (why !== undefined) job.note = why;
}

/** @param {LogLine} entry */
function progressOf({ progress = 0, note }) {
  return `${Math.round(progress * 100)} %${note ? ` (${note})` : ''}`;
}
