import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, type Verdict } from './checker.js';
import type { History } from './history.js';
import { readLedgers } from './ledger.js';
import type { Scenario } from './scenario.js';
import { Stage, type StageOptions } from './stage.js';

/** How a scenario went. */
export interface Outcome {
  name: string;
  seconds: number;
  faults: number;
  verdict: Verdict;
  /** A sentence for everything that should not be; none when all is well. */
  faultsFound: string[];
}

/** Two looks at the queues this far apart must find nothing. Milliseconds. */
const quietMs = 700;

/** Plays a scenario from the first start to the verdict. Never rejects: what goes wrong is in the outcome. */
export async function play(options: StageOptions & { scenario: Scenario }): Promise<Outcome> {
  const startedAt = Date.now();
  const { scenario, folder, nodes } = options;
  mkdirSync(folder, { recursive: true });
  const complaints: string[] = [];
  const stage = await Stage.open(options);
  const { survey } = stage;
  try {
    complaints.push(...(await Promise.race([playOut(scenario, stage), overOf(options.signal)])));
  } catch (error) {
    const late = options.signal.aborted;
    complaints.push(late ? 'the time was over' : String((error as Error).stack ?? error));
  }
  await stage.close();
  await Promise.all(nodes.map((node) => node.start())); // no-op for those that run
  const history: History = {
    ...(await stage.clearStore()),
    events: readLedgers(folder),
    dead: await survey.deadLetters(),
    left: await survey.leftOvers(),
    faults: stage.faults,
  };
  writeFileSync(join(folder, 'faults.json'), JSON.stringify(stage.faults, undefined, 2));
  await survey.clear();
  await survey.close();
  const verdict = check(history);
  complaints.push(...judge(verdict, scenario.recoveryBarMs), ...(scenario.judge?.(verdict, history) ?? []));
  const seconds = (Date.now() - startedAt) / 1_000;
  return { name: scenario.name, seconds, faults: stage.faults.length, verdict, faultsFound: complaints };
}

/** @returns a sentence for each process that did not end well. */
async function playOut(scenario: Scenario, stage: Stage): Promise<string[]> {
  await stage.start();
  await scenario.faults(stage);
  await stage.crew.finishProducing();
  await untilQuiet(stage);
  return stage.crew.stopServices();
}

/** Rejects when the time is over: a process that hangs must not hang the run. */
function overOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(new Error('the time was over'))),
  );
}

/** Waits until every confirmed job is completed or dead and nothing waits in any queue. */
async function untilQuiet(stage: Stage): Promise<void> {
  const quiet = async () => {
    const { toComplete, toDie } = stage.progress.open();
    if (toComplete > 0 || !(await stage.settled())) return false;
    return (await stage.survey.waiting()) === 0 && (await stage.survey.deadCount()) >= toDie;
  };
  await stage.until(async () => {
    if (!(await quiet())) return false;
    await stage.pause(quietMs);
    return quiet();
  }, quietMs);
}

/** What no scenario may show. */
function judge(verdict: Verdict, recoveryBarMs: number | undefined): string[] {
  const { lost, stuck, refusedRun, uncommittedRun, condemned, spared, recovery } = verdict;
  const slow = recovery.samplesMs.filter((ms) => recoveryBarMs !== undefined && ms > recoveryBarMs);
  return [
    ...some(lost, 'lost'),
    ...some(stuck, 'stuck'),
    ...some(refusedRun, 'run although the producer was told that they were not accepted'),
    ...some(uncommittedRun, 'run although their transactions were not committed'),
    ...some(condemned, 'dead although nothing is wrong with them'),
    ...some(spared, 'completed although they had to die'),
    ...some(recovery.never, 'completed nothing new'),
    ...some(slow.map(String), `slower to recover than ${recoveryBarMs} ms`),
  ];
}

function some(found: readonly string[], what: string): string[] {
  if (found.length === 0) return [];
  const shown = found.slice(0, 5).join(', ');
  return [`${found.length} ${what}: ${shown}${found.length > 5 ? ', …' : ''}`];
}
