import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ledgerPath } from './ledger.js';
import type { ProcessGuard } from './machinery.js';
import { Member } from './member.js';
import type { ProducerSettings } from './producer.js';
import type { Random } from './random.js';
import type { ScenarioSettings } from './scenario-settings.js';
import type { WorkerSettings } from './worker.js';

export interface CrewOptions {
  scenario: ScenarioSettings;
  /** Of all nodes. */
  urls: readonly string[];
  guard: ProcessGuard;
  folder: string;
  prefix: string;
  jobs: number;
  random: Random;
  short: boolean;
}

const producerCount = 2;
const workerCount = 3;
/** Jobs a worker runs at the same time, and holds of each lane. */
const concurrency = 10;
const prefetch = 20;
/** The longest that a handler takes, milliseconds. */
const longestMs = 10;
/** The short form has a tenth of the jobs in this part of the time. */
const shortTime = 0.4;

/** A worker that does not end by itself in this time after SIGTERM is killed, as a container platform would. */
export const gracePatienceMs = 40_000;

const here = (file: string) => new URL(file, import.meta.url);

/** The producers and workers of a scenario. */
export class Crew {
  readonly producers: readonly Member[];
  readonly workers: readonly Member[];

  constructor(private readonly options: CrewOptions) {
    this.producers = Array.from({ length: producerCount }, (_, i) => this.#producer(i));
    this.workers = Array.from({ length: workerCount }, (_, i) => this.#worker(i));
  }

  async start(): Promise<void> {
    await Promise.all([...this.workers, ...this.producers].map((member) => member.start()));
  }

  /** Lets the producers enqueue what is left; resolves when they have ended. */
  async finishProducing(): Promise<void> {
    await Promise.all(this.producers.map((producer) => producer.finish()));
  }

  /** Stops the workers as a deployment does; resolves to a sentence for each that did not end well. */
  async stopWorkers(): Promise<string[]> {
    const endings = await Promise.all(this.workers.map((worker) => worker.stop(gracePatienceMs)));
    return endings.flatMap((ending, i) => badEnding(this.workers[i]!.name, ending));
  }

  async close(): Promise<void> {
    await Promise.all([...this.producers, ...this.workers].map((member) => member.stop(0)));
  }

  #producer(index: number): Member {
    const { jobs, scenario, prefix, random, folder, short } = this.options;
    const name = `producer-${index + 1}`;
    const own = Math.floor(jobs / producerCount) + (index < jobs % producerCount ? 1 : 0);
    const settings: ProducerSettings = {
      name,
      url: this.#urls(index),
      prefix,
      ledger: ledgerPath(folder, name),
      seed: random.seed,
      jobs: own,
      perSecond: own / (scenario.seconds * (short ? shortTime : 1)),
      withFatal: scenario.withFatal ?? true,
      longestMs,
    };
    return this.#member(name, here('producer.js'), settings);
  }

  #worker(index: number): Member {
    const { scenario, prefix, folder } = this.options;
    const name = `worker-${index + 1}`;
    const settings: WorkerSettings = {
      name,
      url: this.#urls(index),
      prefix,
      ledger: ledgerPath(folder, name),
      concurrency,
      prefetch,
      watchdogMs: scenario.workers?.watchdogMs ?? 30_000,
    };
    const { entry = here('worker.js'), nodeOptions } = scenario.workers ?? {};
    return this.#member(name, entry, settings, nodeOptions);
  }

  #member(name: string, entry: URL, settings: object, nodeOptions: readonly string[] = []): Member {
    return new Member({
      name,
      entry: fileURLToPath(entry),
      settings,
      nodeOptions,
      log: join(this.options.folder, `${name}.log`),
      guard: this.options.guard,
    });
  }

  /** All nodes, each process beginning with another. */
  #urls(index: number): string[] {
    const { urls, scenario, short } = this.options;
    const heartbeatS = scenario.heartbeatS?.(short);
    return urls.map((_, i) => {
      const url = new URL(urls[(i + index) % urls.length]!);
      if (heartbeatS !== undefined) url.searchParams.set('heartbeat', String(heartbeatS));
      return url.toString();
    });
  }
}

/** What is wrong with how a process ended that was asked to end: it should do so by itself and with success. */
export function badEnding(
  name: string,
  ending: { code: number | null; signal: string | null } | undefined,
): string[] {
  if (!ending) return [`${name} did not end within ${gracePatienceMs / 1_000} s after SIGTERM`];
  return ending.code === 0 ? [] : [`${name} ended with ${ending.signal ?? ending.code} after SIGTERM`];
}
