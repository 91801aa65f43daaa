import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';
import type { Servers } from './servers.js';
import type { Machinery } from './machinery.js';
import { flatness, type MemorySample, memoryTable } from './memory.js';
import { play } from './play.js';
import { Random } from './random.js';
import type { Scenario } from './scenario.js';
import type { Stage } from './stage.js';

export interface SoakOptions {
  machinery: Machinery;
  servers: Servers;
  folder: string;
  print: (line: string) => void;
  minutes: number;
  seed: number;
}

/** Jobs a second, both producers together. */
const perSecond = 100;
/** A young process grows until its code is compiled and its heap has found its size; what is measured begins then. */
const warmUpMinutes = 2;
const sampleEveryMs = 2_000;
const minuteMs = 60_000;

/**
 * Lets a broker come and go for some minutes, under load all the time: killed, stopped in good order, and now and then
 * away for longer than a publish waits. Memory of each process has to stay flat, and nothing may be lost.
 * @returns whether something was not as promised.
 */
export async function soak({
  machinery,
  servers,
  folder,
  print,
  minutes,
  seed,
}: SoakOptions): Promise<boolean> {
  const seconds = (warmUpMinutes + minutes) * 60;
  const samples: MemorySample[] = [];
  const scenario = soakScenario(seconds, samples);
  print(`\n${scenario.name}: ${scenario.does}`);
  const { verdict, faults, faultsFound } = await play({
    scenario,
    nodes: await servers.withNodes(1),
    guard: machinery,
    folder: join(folder, scenario.name),
    prefix: 'chaos-soak',
    jobs: seconds * perSecond,
    random: new Random(seed).of(scenario.name),
    short: false,
    note: (line) => print(`  ${line}`),
    signal: AbortSignal.timeout((seconds + 300) * 1_000),
  });
  const { jobs, confirmed, completed, dead, lost, stuck, duplicateRuns } = verdict;
  print(
    `\n${servers.version()}, seed ${seed}; ${faults} times away; ${jobs} jobs, ${confirmed} confirmed, ${completed} completed, ${dead} dead, ${lost.length} lost, ${stuck.length} stuck, ${duplicateRuns} duplicate runs\n\n${memoryTable(samples)}`,
  );
  for (const fault of faultsFound) print(`  → ${fault}`);
  return faultsFound.length > 0;
}

function soakScenario(seconds: number, samples: MemorySample[]): Scenario {
  return {
    name: 'soak',
    does: `A broker that comes and goes for ${seconds / 60} minutes; after the first ${warmUpMinutes}, memory has to be flat.`,
    withFatal: false,
    seconds,
    async faults(stage) {
      const over = new AbortController();
      const sampling = sampleMemory(stage, samples, over.signal);
      const until = Date.now() + seconds * 1_000;
      for (let round = 0; Date.now() < until; round++) {
        await stage.calm(8_000, 16_000);
        await comeAndGo(stage, round);
      }
      over.abort();
      await sampling;
    },
    judge: () => flatness(samples),
  };
}

/** Every fourth time it is away for longer than a publish waits (10 s), so that producers see rejections, too. */
async function comeAndGo(stage: Stage, round: number): Promise<void> {
  const { broker } = stage;
  const kindly = round % 2 === 1;
  const back = stage.begins(kindly ? 'broker stopped' : 'SIGKILL of the broker');
  await (kindly ? broker.stop({ keepData: true }) : broker.kill());
  if (round % 4 === 3) await stage.pause(12_000);
  await broker.start();
  back();
  await stage.flowing();
}

async function sampleMemory(stage: Stage, samples: MemorySample[], over: AbortSignal): Promise<void> {
  const startedAt = Date.now();
  while (!over.aborted) {
    const minute = Math.floor((Date.now() - startedAt) / minuteMs) - warmUpMinutes;
    for (const { name, pid } of [...stage.producers, ...stage.workers]) {
      if (pid !== undefined) samples.push({ process: name, minute, bytes: await residentBytes(pid) });
    }
    await pause(sampleEveryMs, undefined, { signal: over }).catch(() => undefined);
  }
}

const run = promisify(execFile);

/** Resident set of a process, as `ps` tells it. */
async function residentBytes(pid: number): Promise<number> {
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(pid)]);
  return Number(stdout) * 1_024;
}
