import type { History } from './history.js';
import { kindOf, shouldDie } from './kind.js';
import type { LedgerEvent } from './ledger.js';
import { type Recovery, recoveryOf } from './recovery.js';

/** What a history amounts to. Lists are ids of jobs. */
export interface Verdict {
  /** Jobs that producers meant to enqueue. */
  jobs: number;
  confirmed: number;
  /** Jobs whose handler returned at least once. */
  completed: number;
  /** Jobs in the dead letters. */
  dead: number;
  /** Confirmed, and neither completed, nor dead, nor in any queue. */
  lost: string[];
  /** Messages in queues where none should be at the end, as `queue: id`. */
  stuck: string[];
  /** Completed more than once. */
  doubled: string[];
  /** Run although the producer was never told that they were accepted. */
  unconfirmedRun: string[];
  /** Of those, the ones whose producer was told that they certainly were not: a lie. */
  refusedRun: string[];
  /** Runs beyond the first of each attempt. A snooze does not count as an attempt, so it allows one more. */
  duplicateRuns: number;
  /** Dead although nothing is wrong with them, as `id (reason)`. */
  condemned: string[];
  /** Completed although they had to die: the workload is not what the checker thinks. */
  spared: string[];
  /** Where effects are kept: jobs with more than one, and jobs with none that were confirmed and did not have to die. */
  effects: { doubled: string[]; missing: string[] } | undefined;
  /** Where jobs are enqueued in transactions: those that ran, or are dead, although theirs was not committed. */
  uncommittedRun: string[];
  recovery: Recovery;
}

/** What is known of one job. */
interface JobRecord {
  confirmed: boolean;
  refused: boolean;
  intended: boolean;
  completed: number;
  /** Starts and snoozes of each attempt. */
  attempts: Map<number, { starts: number; snoozes: number }>;
}

/** Holds what was confirmed against what was done. Pure: all it knows is in the history. */
export function check(history: History): Verdict {
  const jobs = recordsOf(history.events);
  const committed = history.committed && new Set(history.committed);
  // Whoever commits and dies then notes nothing more: the database knows.
  for (const id of committed ?? []) recordOf(jobs, id).confirmed = true;
  const dead = new Map(history.dead.map(({ id, reason }) => [id, reason]));
  const left = new Set(history.left.map(({ id }) => id));
  const ids = (matches: (job: JobRecord, id: string) => boolean) =>
    [...jobs].filter(([id, job]) => matches(job, id)).map(([id]) => id);
  const ran = ({ attempts }: JobRecord) => attempts.size > 0;
  return {
    jobs: ids(({ intended }) => intended).length,
    confirmed: ids(({ confirmed }) => confirmed).length,
    completed: ids(({ completed }) => completed > 0).length,
    dead: dead.size,
    lost: ids(
      ({ confirmed, completed }, id) => confirmed && completed === 0 && !dead.has(id) && !left.has(id),
    ),
    stuck: history.left.map(({ queue, id }) => `${queue}: ${id}`),
    doubled: ids(({ completed }) => completed > 1),
    unconfirmedRun: ids((job) => !job.confirmed && ran(job)),
    refusedRun: ids((job, id) => !job.confirmed && job.refused && (ran(job) || dead.has(id))),
    duplicateRuns: [...jobs.values()].reduce((sum, { attempts }) => sum + surplusRuns(attempts), 0),
    condemned: [...dead].filter(([id]) => !shouldDie(kindOf(id))).map(([id, reason]) => `${id} (${reason})`),
    spared: ids(({ completed }, id) => completed > 0 && shouldDie(kindOf(id))),
    effects: history.effects && effectsOf(history.effects, jobs),
    uncommittedRun: committed ? ids((job, id) => !committed.has(id) && (ran(job) || dead.has(id))) : [],
    recovery: recoveryOf(history),
  };
}

/** How often each job's handler was called, for the ids that match. */
export function startsOf(
  events: readonly LedgerEvent[],
  matches: (id: string) => boolean,
): Map<string, number> {
  const starts = new Map<string, number>();
  for (const { what, id } of events) {
    if (what === 'started' && matches(id)) starts.set(id, (starts.get(id) ?? 0) + 1);
  }
  return starts;
}

function recordsOf(events: readonly LedgerEvent[]): Map<string, JobRecord> {
  const jobs = new Map<string, JobRecord>();
  for (const event of events) {
    enter(recordOf(jobs, event.id), event);
  }
  return jobs;
}

function recordOf(jobs: Map<string, JobRecord>, id: string): JobRecord {
  let job = jobs.get(id);
  if (!job) {
    job = { confirmed: false, refused: false, intended: false, completed: 0, attempts: new Map() };
    jobs.set(id, job);
  }
  return job;
}

function effectsOf(effects: readonly string[], jobs: ReadonlyMap<string, JobRecord>) {
  const counts = new Map<string, number>();
  for (const id of effects) counts.set(id, (counts.get(id) ?? 0) + 1);
  const owed = [...jobs].filter(([id, { confirmed }]) => confirmed && !shouldDie(kindOf(id)));
  return {
    doubled: [...counts].filter(([, count]) => count > 1).map(([id]) => id),
    missing: owed.filter(([id]) => !counts.has(id)).map(([id]) => id),
  };
}

function enter(job: JobRecord, { what, attempt }: LedgerEvent): void {
  if (what === 'intent') job.intended = true;
  else if (what === 'confirmed') job.confirmed = true;
  else if (what === 'refused') job.refused = true;
  else if (what === 'started') attemptOf(job, attempt).starts++;
  else if (what === 'snoozed') attemptOf(job, attempt).snoozes++;
  else if (what === 'completed') job.completed++;
}

function attemptOf({ attempts }: JobRecord, attempt: number) {
  let counts = attempts.get(attempt);
  if (!counts) attempts.set(attempt, (counts = { starts: 0, snoozes: 0 }));
  return counts;
}

function surplusRuns(attempts: JobRecord['attempts']): number {
  let surplus = 0;
  for (const { starts, snoozes } of attempts.values()) surplus += Math.max(0, starts - 1 - snoozes);
  return surplus;
}
