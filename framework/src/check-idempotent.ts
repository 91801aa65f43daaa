import type { ContainerModule } from 'inversify';
import { randomUUID } from 'node:crypto';
import { PostgresJobTransactions } from './adapters/postgres/job-transactions.js';
import { MemoryBroker } from './adapters/memory/memory-broker.js';
import { MemoryIdempotencyStore } from './adapters/memory/memory-idempotency-store.js';
import { SqlIdempotencyStore } from './adapters/sql/sql-idempotency-store.js';
import { systemClock } from './base/clock.js';
import { describe, OptionError } from './base/errors.js';
import { refuseUnknownOptions } from './base/options.js';
import { type Contract, validatePayload } from './model/contract.js';
import { readPayload } from './model/envelope.js';
import { type HandlerClass, jobDefinition } from './model/job.js';
import type { Outcome } from './model/outcome.js';
import type { Delivery } from './ports/broker.js';
import type { Database } from './ports/database.js';
import { JobPublisher } from './runtime/job-publisher.js';
import { ConfiguredStore } from './store.js';
import { TrialProcess, type TrialWorld } from './trial-process.js';

export interface CheckIdempotentOptions {
  /**
   * How many effects there are so far: charges in the ledger of a stub, rows in a table. Asked before and after each trial.
   * @param enqueued what the handler has enqueued in this trial, with the id of each job.
   */
  effects: (enqueued: readonly EnqueuedInTrial[]) => number | Promise<number>;
  /** What the handler is built with, as in `JobServiceOptions`. Loaded anew for each process of a trial. */
  modules?: readonly ContainerModule[];
  /** As in `JobServiceOptions`, for handlers with a `JobTransaction`: their PostgreSQL. Default: keys in memory. */
  store?: string | Database;
}

/** What a job is enqueued with, or what makes it for the first, second, … trial. */
export type TrialPayload = ((trial: number) => unknown) | object | string | number | boolean | null;

/** A job that the handler enqueued. */
export interface EnqueuedInTrial {
  id: string;
  contract: string;
  payload: unknown;
}

/** A trial that came out otherwise than one undisturbed run. */
export interface IdempotencyFault {
  /**
   * `twice`: delivered again after it was done, as when its ack is lost. `concurrently`: two processes began at once.
   * `killed`: the first process ended at `at`, another went on.
   */
  when: 'twice' | 'concurrently' | 'killed';
  /** The last that the killed process did, such as `Mailer.send #2`. */
  at?: string;
  /** How many effects there were. */
  effects: number;
}

export interface IdempotencyReport {
  /** What one run has, that nothing disturbs. */
  effects: number;
  /** Where it was killed, in turn: calls that the handler waited for, and the end of it. */
  awaits: readonly string[];
  /** Attempts in all trials together. */
  runs: number;
  /** Trials with more effects than one run has. */
  doubled: readonly IdempotencyFault[];
  /** Trials with fewer. */
  missing: readonly IdempotencyFault[];
  /** Trials in which the job did not complete at last. */
  failed: readonly (IdempotencyFault & { outcome: string })[];
  /** A sentence for each of them; empty for a handler that is idempotent. */
  problems: readonly string[];
}

/**
 * Whether a handler has its effects once, whatever happens to the process: runs it twice, concurrently, and killed at each call
 * that it waits for, and counts effects.
 *
 * Killed means: a call of something that was injected has done what it does, its answer never comes, and another process
 * runs the job once the claim of the first has lapsed. Methods that return a promise are such calls; what a handler reaches
 * otherwise, a global `fetch` or a connection out of a pool, is not seen.
 * @param payload what the job is enqueued with; a function makes another for each trial, so that none meets the effects of
 * those before it.
 * @throws OptionError, ConfigError, ContractError for what is wrong with the arguments; Error where nothing can be told: the
 * handler does not complete undisturbed, has no effect, or not the same each time.
 */
export async function checkIdempotent(
  handler: HandlerClass,
  payload: TrialPayload,
  options: CheckIdempotentOptions,
): Promise<IdempotencyReport> {
  refuseUnknownOptions('checkIdempotent', options ?? {}, ['effects', 'modules', 'store']);
  if (typeof options?.effects !== 'function') {
    throw new OptionError(`effects of checkIdempotent is ${describe(options?.effects)}.`, {
      mend: 'Give a function that counts what the handler did, such as () => ledger.length.',
    });
  }
  const check = await Check.open(handler, payload, options);
  try {
    return await check.run();
  } finally {
    await check.close();
  }
}

interface Trial {
  effects: number;
  /** How each process that was not killed ended the job. */
  outcomes: readonly Outcome[];
}

const prefix = 'trial';

class Check {
  #runs = 0;
  #trials = 0;
  #enqueued: EnqueuedInTrial[] = [];
  readonly #contract: Contract;
  readonly #broker = new MemoryBroker();
  readonly #publisher: JobPublisher;
  readonly #id = randomUUID().slice(0, 8);
  #world!: Omit<TrialWorld, 'scope'>;
  #closeStore: () => Promise<void> = async () => undefined;

  static async open(
    handler: HandlerClass,
    payload: TrialPayload,
    options: CheckIdempotentOptions,
  ): Promise<Check> {
    const check = new Check(handler, payload, options);
    const store = options.store === undefined ? undefined : await check.#openStore(options.store);
    check.#world = {
      handler,
      modules: options.modules ?? [],
      keys: store?.keys ?? new MemoryIdempotencyStore(systemClock),
      transactions: store?.transactions,
      publisher: check.#publisher,
    };
    return check;
  }

  private constructor(
    private readonly handler: HandlerClass,
    private readonly payload: TrialPayload,
    private readonly options: CheckIdempotentOptions,
  ) {
    this.#contract = jobDefinition(handler).contract;
    this.#publisher = new JobPublisher({
      broker: this.#broker,
      prefix,
      clock: systemClock,
      app: prefix,
      mostPayloadBytes: Infinity,
      filters: [
        {
          name: 'enqueued',
          publish: async ({ contract, id, message }, next) => {
            await next();
            this.#enqueued.push({ id, contract: contract.name, payload: readPayload(message.body) });
          },
        },
      ],
    });
  }

  async run(): Promise<IdempotencyReport> {
    const { plain, awaits } = await this.#undisturbed();
    const doubled: IdempotencyFault[] = [];
    const missing: IdempotencyFault[] = [];
    const failed: (IdempotencyFault & { outcome: string })[] = [];
    const problems: string[] = [];
    const judge = (fault: Omit<IdempotencyFault, 'effects'>, { effects, outcomes }: Trial) => {
      const found = { ...fault, effects };
      const trial = `${fault.when}${fault.at === undefined ? '' : ` at ${fault.at}`}`;
      if (effects !== plain) {
        (effects > plain ? doubled : missing).push(found);
        problems.push(`${trial}: ${counted(effects)} instead of ${plain}`);
      }
      const other = outcomes.find(({ kind }) => kind !== 'completed');
      if (!other) return;
      failed.push({ ...found, outcome: told(other) });
      problems.push(`${trial}: the job did not complete: ${told(other)}`);
    };
    judge({ when: 'twice' }, await this.#twice());
    judge({ when: 'concurrently' }, await this.#concurrently());
    for (const at of awaits) judge({ when: 'killed', at }, await this.#killed(at));
    return { effects: plain, awaits, runs: this.#runs, doubled, missing, failed, problems };
  }

  async close(): Promise<void> {
    await this.#broker.close();
    await this.#closeStore();
  }

  /** What all the others are held against. Twice, because a world that remembers makes every count worthless. */
  async #undisturbed(): Promise<{ plain: number; awaits: readonly string[] }> {
    const { name } = this.handler;
    const counts: number[] = [];
    let awaits: readonly string[] = [];
    for (let i = 0; i < 2; i++) {
      const { effects, outcomes } = await this.#trial(async (world, delivery) => {
        const process = await TrialProcess.start(world);
        const ended = await this.#ending([process], () => process.work(delivery));
        awaits = process.watch.calls;
        return [ended];
      });
      counts.push(effects);
      const [outcome] = outcomes;
      if (outcome?.kind !== 'completed') {
        const cause = outcome && 'error' in outcome ? outcome.error : undefined;
        throw new Error(
          `${name} does not complete undisturbed: ${outcome && told(outcome)}. Give it what it needs in "modules" and a payload that it can work with.`,
          { cause },
        );
      }
    }
    const [plain, again] = counts as [number, number];
    if (plain === 0) {
      throw new Error(
        `${name} has no effect that "effects" counts: 0 before it ran, or as many as after. Let "effects" count what must not be there twice.`,
      );
    }
    if (again !== plain) {
      throw new Error(
        `${name} has ${counted(plain)} when it runs the first time, and ${counted(again)} for another job with the same payload. If what it works with remembers the first, give a function as payload: (trial) => ({ orderId: \`order-\${trial}\` }).`,
      );
    }
    return { plain, awaits };
  }

  #twice(): Promise<Trial> {
    return this.#trial(async (world, delivery) => {
      const outcomes: (Outcome | undefined)[] = [];
      for (let i = 0; i < 2; i++) {
        const process = await TrialProcess.start(world);
        outcomes.push(await this.#ending([process], () => process.work(delivery)));
      }
      return outcomes;
    });
  }

  #concurrently(): Promise<Trial> {
    return this.#trial(async (world, delivery) => {
      const processes = [await TrialProcess.start(world), await TrialProcess.start(world)];
      return this.#ending(processes, () => Promise.all(processes.map((process) => process.work(delivery))));
    });
  }

  #killed(at: string): Promise<Trial> {
    return this.#trial(async (world, delivery) => {
      const [first, next] = [await TrialProcess.start(world, at), await TrialProcess.start(world)];
      return this.#ending([first, next], async () => [
        (await first.work(delivery)) ?? (await next.work(delivery)),
      ]);
    });
  }

  /** A job of its own, and the effects that came of it. */
  async #trial(
    run: (world: TrialWorld, delivery: Delivery) => Promise<(Outcome | undefined)[]>,
  ): Promise<Trial> {
    const trial = ++this.#trials;
    this.#enqueued = [];
    const before = await this.#count();
    const outcomes = await run(
      { ...this.#world, scope: `${this.#id}-${trial}` },
      await this.#delivery(trial),
    );
    const effects = (await this.#count()) - before;
    return { effects, outcomes: outcomes.filter((outcome) => outcome !== undefined) };
  }

  async #ending<T>(processes: readonly TrialProcess[], work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      for (const process of processes) {
        this.#runs += process.runs;
        await process.close();
      }
    }
  }

  async #count(): Promise<number> {
    const counted = await this.options.effects([...this.#enqueued]);
    if (Number.isSafeInteger(counted) && counted >= 0) return counted;
    throw new OptionError(`effects of checkIdempotent gave ${describe(counted)}.`, {
      mend: 'Let it give how many effects there are so far: a whole number from 0 on.',
    });
  }

  /** The job as a queue hands it over. */
  async #delivery(trial: number): Promise<Delivery> {
    const { payload } = this;
    const given: unknown = isMaker(payload) ? payload(trial) : payload;
    await validatePayload(this.#contract, given);
    const { message } = this.#publisher.prepare(this.#contract, given);
    const { queue } = this.#contract;
    const settle = () => undefined;
    return {
      ...message,
      queue: queue.name,
      redelivered: false,
      stale: false,
      ack: settle,
      requeue: settle,
      reject: settle,
    };
  }

  async #openStore(given: string | Database) {
    const store = new ConfiguredStore(given);
    const database = await store.openOrDefault();
    const keys = await SqlIdempotencyStore.open(database).catch(async (error: unknown) => {
      await store.close();
      throw error;
    });
    this.#closeStore = async () => {
      await keys.close();
      await store.close();
    };
    const transactions = database.dialect === 'postgres' ? new PostgresJobTransactions(database) : undefined;
    return { keys, transactions };
  }
}

function isMaker(payload: TrialPayload): payload is (trial: number) => unknown {
  return typeof payload === 'function';
}

function counted(effects: number): string {
  return `${effects} ${effects === 1 ? 'effect' : 'effects'}`;
}

function told(outcome: Outcome): string {
  if (outcome.kind === 'dead') {
    return `dead (${outcome.reason}) by ${outcome.error.name}: ${outcome.error.message}`;
  }
  return outcome.kind === 'discard' ? `discarded: ${outcome.reason}` : outcome.kind;
}
