import { setTimeout as pause } from 'node:timers/promises';
import { Crew } from './crew.js';
import type { Fault } from './history.js';
import type { Kind } from './kind.js';
import type { PrivateBroker, PrivatePostgres, ProcessGuard } from './machinery.js';
import type { Member } from './member.js';
import { Progress } from './progress.js';
import { Proxy } from './proxy.js';
import type { Random } from './random.js';
import type { ScenarioSettings } from './scenario-settings.js';
import { Store } from './store.js';
import { Survey } from './survey.js';

export interface StageOptions {
  scenario: ScenarioSettings;
  nodes: readonly PrivateBroker[];
  /** Where the scenario asks for a store. */
  postgres?: PrivatePostgres;
  guard: ProcessGuard;
  /** For ledgers and the output of the processes. */
  folder: string;
  prefix: string;
  jobs: number;
  random: Random;
  /** The short form: fewer and shorter faults. */
  short: boolean;
  note(line: string): void;
  /** Aborts when the time of the scenario is over. */
  signal: AbortSignal;
}

/** What the faults of a scenario play on: brokers, producers and workers under load, and the record of the faults. */
export class Stage {
  readonly crew: Crew;
  readonly faults: Fault[] = [];
  readonly progress: Progress;
  readonly survey: Survey;
  readonly random: Random;

  static async open(options: StageOptions): Promise<Stage> {
    const { scenario, nodes, postgres } = options;
    const proxy = scenario.throughProxy ? await Proxy.before(nodes[0]!.url) : undefined;
    if (!scenario.store) return new Stage(options, proxy, undefined);
    if (!postgres) throw new Error(`scenario ${scenario.name} asks for a store, and there is none`);
    return new Stage(options, proxy, await Store.open(postgres, scenario.name, scenario.store));
  }

  private constructor(
    private readonly options: StageOptions,
    private readonly maybeProxy: Proxy | undefined,
    private readonly maybeStore: Store | undefined,
  ) {
    const { folder, random, nodes } = options;
    this.random = random.of('faults');
    this.progress = new Progress(folder);
    this.survey = new Survey(
      nodes.map(({ url }) => url),
      options.prefix,
    );
    const urls = nodes.map(({ url }) => maybeProxy?.through(url) ?? url);
    this.crew = new Crew({ ...options, urls, storeUrl: maybeStore?.url });
  }

  get workers(): readonly Member[] {
    return this.crew.workers;
  }

  get producers(): readonly Member[] {
    return this.crew.producers;
  }

  get nodes(): readonly PrivateBroker[] {
    return this.options.nodes;
  }

  /** The only node, or the first. */
  get broker(): PrivateBroker {
    return this.nodes[0]!;
  }

  get proxy(): Proxy {
    if (!this.maybeProxy) throw new Error('the scenario does not ask for a proxy');
    return this.maybeProxy;
  }

  get store(): Store {
    if (!this.maybeStore) throw new Error('the scenario does not ask for a store');
    return this.maybeStore;
  }

  get relays(): readonly Member[] {
    return this.crew.relays;
  }

  get prefix(): string {
    return this.options.prefix;
  }

  get short(): boolean {
    return this.options.short;
  }

  get folder(): string {
    return this.options.folder;
  }

  /** Starts producers and workers and waits for the first completed job. */
  async start(): Promise<void> {
    await this.crew.start();
    await this.flowing();
  }

  /** Does something so many times in the full form, and so many in the short one. */
  async times(full: number, short: number, work: (round: number) => Promise<void>): Promise<void> {
    for (let round = 0; round < (this.short ? short : full); round++) await work(round);
  }

  /** Records that a fault begins; call what it returns when the cause is gone. */
  begins(what: string, affected: readonly Member[] = this.workers, kind?: Kind): () => void {
    const startedAt = Date.now();
    return () => {
      const endedAt = Date.now();
      this.faults.push({ what, startedAt, endedAt, affected: affected.map(({ name }) => name), kind });
      this.options.note(`${what}, ${((endedAt - startedAt) / 1_000).toFixed(1)} s`);
    };
  }

  /** Lets the system run undisturbed for a time between the two. Milliseconds. */
  async calm(fromMs: number, toMs = fromMs): Promise<void> {
    await this.pause(this.random.between(fromMs, toMs));
  }

  async pause(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.options.signal });
  }

  /** Resolves when jobs are completed again; with a kind, jobs of that kind. */
  async flowing(kind?: Kind): Promise<void> {
    const before = this.progress.completions(kind);
    await this.until(() => this.progress.completions(kind) > before);
  }

  async until(condition: () => boolean | Promise<boolean>, everyMs = 50): Promise<void> {
    while (!(await condition())) await this.pause(everyMs);
  }

  /** Whether the store has all that it is to have. */
  async settled(): Promise<boolean> {
    return this.maybeStore === undefined || this.maybeStore.settled(this.progress.completed);
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    await this.crew.close();
    await this.maybeProxy?.close();
  }

  /** What the store holds; it is gone then. After `close`. */
  async clearStore(): Promise<{ effects?: string[]; committed?: string[] }> {
    return (await this.maybeStore?.clear()) ?? {};
  }
}
