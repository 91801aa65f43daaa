import { cpus, totalmem } from 'node:os';
import type { Outcome } from './play.js';
import { percentile } from './recovery.js';

/** What `--json` writes. */
export interface Report {
  seed: number;
  broker: string;
  scenarios: ScenarioReport[];
}

export interface ScenarioReport {
  name: string;
  jobs: number;
  confirmed: number;
  completed: number;
  dead: number;
  lost: number;
  stuck: number;
  doubled: number;
  unconfirmedRun: number;
  duplicateRuns: number;
  /** Null where no effects are kept. */
  effectsDoubled: number | null;
  effectsMissing: number | null;
  /** Null where no fault was to be recovered from. */
  recoveryMs: { p50: number | null; max: number | null };
}

export function scenarioReport({ name, verdict }: Outcome): ScenarioReport {
  const { jobs, confirmed, completed, dead, duplicateRuns, recovery } = verdict;
  return {
    name,
    jobs,
    confirmed,
    completed,
    dead,
    lost: verdict.lost.length,
    stuck: verdict.stuck.length,
    doubled: verdict.doubled.length,
    unconfirmedRun: verdict.unconfirmedRun.length,
    duplicateRuns,
    effectsDoubled: verdict.effects?.doubled.length ?? null,
    effectsMissing: verdict.effects?.missing.length ?? null,
    recoveryMs: {
      p50: percentile(recovery.samplesMs, 0.5) ?? null,
      max: percentile(recovery.samplesMs, 1) ?? null,
    },
  };
}

const columns = [
  'scenario', 'faults', 'jobs', 'confirmed', 'completed', 'dead', 'lost', 'stuck',
  'doubled', 'unconfirmed run', 'duplicate runs', 'effects doubled', 'effects missing', 'recovery p50', 'max', 'took',
]; // prettier-ignore

/** The outcomes as a table for people, in Markdown. */
export function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map((outcome) => {
    const { recoveryMs, name, ...counts } = scenarioReport(outcome);
    const time = (ms: number | null) => (ms === null ? '–' : `${ms} ms`);
    return [
      name,
      String(outcome.faults),
      ...Object.values(counts).map((count) => String(count ?? '–')),
      time(recoveryMs.p50),
      time(recoveryMs.max),
      `${Math.round(outcome.seconds)} s`,
    ];
  });
  const widths = columns.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(columns), rule, ...rows.map(line)].join('\n');
}

/** The machine of the run, for people. */
export function machine(): string {
  const processors = cpus();
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  return `${processors.length} × ${processors[0]?.model ?? 'unknown processor'}, ${memory} GiB, Node ${process.version}`;
}
