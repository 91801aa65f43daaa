import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Servers } from './servers.js';
import type { Machinery } from './machinery.js';
import { type Outcome, play } from './play.js';
import { Random } from './random.js';
import { machine, type Report, scenarioReport, table } from './report.js';
import { readRunOptions, type RunOptions, usage } from './run-options.js';
import type { Scenario } from './scenario.js';
import { allScenarios, shortScenarios } from './scenarios/all.js';
import { soak } from './soak.js';

/**
 * Runs scenarios one after another and prints what came of them.
 * @returns the exit code: 0 when every promise held, 1 when one did not, 2 for wrong options.
 */
export async function run(
  args: string[],
  machinery: Machinery,
  print: (line: string) => void,
): Promise<number> {
  let options: RunOptions;
  let scenarios: readonly Scenario[];
  try {
    options = readRunOptions(args);
    scenarios = chosen(options);
  } catch (error) {
    print(`${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  print(`seed ${options.seed}; ${machine()}`);
  const servers = new Servers(machinery);
  const folder = mkdtempSync(join(tmpdir(), 'jobrail-chaos-'));
  const stage = { machinery, servers, folder, print };
  try {
    const failed =
      options.soakMinutes === undefined
        ? await playAll(scenarios, options, stage)
        : await soak({ ...stage, minutes: options.soakMinutes, seed: options.seed });
    if (failed || options.keep) print(`ledgers and logs: ${folder}`);
    else rmSync(folder, { recursive: true });
    return failed ? 1 : 0;
  } finally {
    await servers.stop();
  }
}

interface Surroundings {
  machinery: Machinery;
  servers: Servers;
  folder: string;
  print: (line: string) => void;
}

async function playAll(
  scenarios: readonly Scenario[],
  { jobs, seed, short, limitMs, json }: RunOptions,
  { machinery, servers, folder, print }: Surroundings,
): Promise<boolean> {
  const outcomes: Outcome[] = [];
  for (const scenario of scenarios) {
    print(`\n${scenario.name}: ${scenario.does}`);
    const outcome = await play({
      scenario,
      nodes: await servers.withNodes(scenario.nodes ?? 1),
      ...(scenario.store && { postgres: await servers.postgres() }),
      guard: machinery,
      folder: join(folder, scenario.name),
      prefix: `chaos-${scenario.name}`,
      jobs,
      random: new Random(seed).of(scenario.name),
      short,
      note: (line) => print(`  ${line}`),
      signal: AbortSignal.timeout(limitMs),
    });
    outcomes.push(outcome);
    if (outcome.faultsFound.length > 0) await servers.stop(); // the next one begins on a fresh one
    print(`  → ${outcome.faultsFound.length === 0 ? 'as promised' : outcome.faultsFound.join('\n    ')}`);
  }
  const report: Report = { seed, broker: servers.version(), scenarios: outcomes.map(scenarioReport) };
  print(`\n${report.broker}, seed ${seed}\n\n${table(outcomes)}`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, undefined, 2)}\n`);
  return outcomes.some(({ faultsFound }) => faultsFound.length > 0);
}

/** @throws Error for a name that no scenario has. */
function chosen({ scenarios: names, short }: RunOptions): readonly Scenario[] {
  if (names.length === 0) return short ? shortScenarios : allScenarios;
  return names.map((name) => {
    const found = allScenarios.find((scenario) => scenario.name === name);
    if (found) return found;
    throw new Error(
      `There is no scenario "${name}"; expected ${allScenarios.map((scenario) => scenario.name).join(', ')}.`,
    );
  });
}
