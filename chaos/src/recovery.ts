import type { Fault, History } from './history.js';
import { type Kind, kindOf } from './kind.js';
import type { LedgerEvent } from './ledger.js';

/** How long after the end of a fault the affected workers completed a job that they started after it. */
export interface Recovery {
  /** One for each fault and affected worker, milliseconds, the shortest first. */
  samplesMs: number[];
  /** Workers that completed nothing after a fault, as `worker after fault`. */
  never: string[];
}

/** A run that came to its end. */
interface Run {
  kind: Kind;
  startedAt: number;
  completedAt: number;
}

/**
 * Runs that were under way when the fault ended do not count: they say nothing of whether the worker gets jobs again.
 * A fault that the next one on the same worker overtakes is measured by the first run after it all the same.
 */
export function recoveryOf({ events, faults }: Pick<History, 'events' | 'faults'>): Recovery {
  const runs = completedRuns(events);
  const samplesMs: number[] = [];
  const never: string[] = [];
  for (const fault of faults) {
    for (const worker of fault.affected) {
      const tookMs = firstAfter(runs.get(worker) ?? [], fault);
      if (tookMs === undefined) never.push(`${worker} after ${fault.what}`);
      else samplesMs.push(tookMs);
    }
  }
  return { samplesMs: samplesMs.sort((a, b) => a - b), never };
}

/** The value that `share` of the sorted samples do not pass; undefined without samples. */
export function percentile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
}

function firstAfter(runs: readonly Run[], { endedAt, kind }: Fault): number | undefined {
  let first: number | undefined;
  for (const { kind: kindOfRun, startedAt, completedAt } of runs) {
    if (kind !== undefined && kindOfRun !== kind) continue;
    if (startedAt >= endedAt && (first === undefined || completedAt < first)) first = completedAt;
  }
  return first === undefined ? undefined : first - endedAt;
}

/** By worker: each completion with the start that belongs to it, of the same process, job and attempt. */
function completedRuns(events: readonly LedgerEvent[]): Map<string, Run[]> {
  const starts = new Map<string, number>();
  const runs = new Map<string, Run[]>();
  for (const { what, at, id, attempt, by, pid } of events) {
    const key = `${pid} ${id} ${attempt}`;
    if (what === 'started') starts.set(key, at);
    if (what !== 'completed') continue;
    let own = runs.get(by);
    if (!own) runs.set(by, (own = []));
    own.push({ kind: kindOf(id), startedAt: starts.get(key) ?? at, completedAt: at });
  }
  return runs;
}
