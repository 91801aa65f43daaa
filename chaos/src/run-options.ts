import { parseArgs } from 'node:util';
import { randomInt } from 'node:crypto';

export interface RunOptions {
  jobs: number;
  seed: number;
  /** Names; empty for all, or for those of the short form. */
  scenarios: string[];
  json: string | undefined;
  short: boolean;
  /** For each scenario, milliseconds. */
  limitMs: number;
  /** Minutes of the soak instead of scenarios; undefined for none. */
  soakMinutes: number | undefined;
  /** Ledgers and logs are kept also when all is well. */
  keep: boolean;
}

export const usage = `npm run chaos -- [options]
  --scenario NAME   only this one; may be given several times
  --jobs N          jobs a scenario (20000; short form 2000)
  --seed N          decides targets, times and workload; printed by each run
  --short           the short form: four scenarios in under three minutes
  --limit SECONDS   time limit of each scenario (300; short form 90)
  --json FILE       writes the report as JSON
  --soak MINUTES    instead: a broker that comes and goes, and the memory of the processes
  --keep            keeps ledgers and logs although all is well`;

/** @throws Error whose message says which option is wrong. */
export function readRunOptions(args: string[]): RunOptions {
  const { values } = parseArgs({
    args,
    options: {
      scenario: { type: 'string', multiple: true, default: [] },
      jobs: { type: 'string' },
      seed: { type: 'string' },
      short: { type: 'boolean', default: false },
      limit: { type: 'string' },
      json: { type: 'string' },
      soak: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  });
  const { short, scenario, json, keep } = values;
  const number = (name: 'jobs' | 'seed' | 'limit' | 'soak', otherwise: number) => {
    const given = values[name];
    if (given === undefined) return otherwise;
    if (!/^\d{1,9}$/.test(given)) throw new Error(`--${name} is "${given}"; expected a whole number.`);
    return Number(given);
  };
  return {
    jobs: number('jobs', short ? 2_000 : 20_000),
    seed: number('seed', randomInt(1, 1_000_000)),
    scenarios: scenario,
    json,
    short,
    limitMs: number('limit', short ? 90 : 300) * 1_000,
    soakMinutes: values.soak === undefined ? undefined : number('soak', 0),
    keep,
  };
}
