import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ledgerPath } from './ledger.js';
import type { ProcessGuard } from './machinery.js';
import { Member } from './member.js';
import type { MemberSettings } from './member-channel.js';
import type { ProducerSettings } from './producing.js';
import type { Random } from './random.js';
import type { ScenarioSettings } from './scenario-settings.js';
import type { WorkerSettings } from './serving.js';

export interface CrewOptions {
  scenario: ScenarioSettings;
  /** Of all nodes. */
  urls: readonly string[];
  /** Of the PostgreSQL, where there is one. */
  storeUrl: string | undefined;
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

/** The processes of a scenario. */
export class Crew {
  readonly producers: readonly Member[];
  readonly workers: readonly Member[];
  readonly relays: readonly Member[];

  constructor(private readonly options: CrewOptions) {
    this.producers = Array.from({ length: producerCount }, (_, i) => this.#producer(i));
    this.workers = Array.from({ length: workerCount }, (_, i) => this.#worker(i));
    this.relays = Array.from({ length: options.scenario.relays ?? 0 }, (_, i) => this.#relay(i));
  }

  async start(): Promise<void> {
    await Promise.all(this.relays.map((relay) => relay.start())); // they make the table of the outbox
    await Promise.all([...this.workers, ...this.producers].map((member) => member.start()));
  }

  /** Lets the producers enqueue what is left; resolves when they have ended. */
  async finishProducing(): Promise<void> {
    await Promise.all(this.producers.map((producer) => producer.finish()));
  }

  /** Stops workers and relays as a deployment does; resolves to a sentence for each that did not end well. */
  async stopServices(): Promise<string[]> {
    const services = [...this.workers, ...this.relays];
    const endings = await Promise.all(services.map((service) => service.stop(gracePatienceMs)));
    return endings.flatMap((ending, i) => badEnding(services[i]!.name, ending));
  }

  async close(): Promise<void> {
    const members = [...this.producers, ...this.workers, ...this.relays];
    await Promise.all(members.map((member) => member.stop(0)));
  }

  #producer(index: number): Member {
    const { jobs, scenario, random, short } = this.options;
    const name = `producer-${index + 1}`;
    const own = Math.floor(jobs / producerCount) + (index < jobs % producerCount ? 1 : 0);
    const settings: ProducerSettings = {
      ...this.#shared(name, index),
      seed: random.seed,
      jobs: own,
      perSecond: own / (scenario.seconds * (short ? shortTime : 1)),
      withFatal: scenario.withFatal ?? true,
      longestMs,
    };
    return this.#member(name, scenario.producers?.entry ?? here('producer.js'), settings);
  }

  #worker(index: number): Member {
    const name = `worker-${index + 1}`;
    const {
      entry = here('worker.js'),
      nodeOptions,
      watchdogMs = 30_000,
      settings: more,
    } = this.options.scenario.workers ?? {};
    const settings: WorkerSettings = {
      ...this.#shared(name, index),
      concurrency,
      prefetch,
      watchdogMs,
      ...more,
    };
    return this.#member(name, entry, settings, nodeOptions);
  }

  #relay(index: number): Member {
    const name = `relay-${index + 1}`;
    return this.#member(name, here('relay.js'), this.#shared(name, index));
  }

  /** What every process is told. */
  #shared(name: string, index: number): MemberSettings {
    const { prefix, folder, storeUrl } = this.options;
    return {
      name,
      url: this.#urls(index),
      prefix,
      ledger: ledgerPath(folder, name),
      ...(storeUrl !== undefined && { store: storeUrl }),
    };
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
