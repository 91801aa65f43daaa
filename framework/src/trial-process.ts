import { type Container, ContainerModule } from 'inversify';
import type { PostgresJobTransactions } from './adapters/postgres/job-transactions.js';
import { CallWatch } from './base/call-watch.js';
import { VirtualClock } from './base/virtual-clock.js';
import { idempotencyFilter } from './filters/idempotency.js';
import { readEnvelope } from './model/envelope.js';
import type { JobContext } from './model/job-context.js';
import type { HandlerClass } from './model/job.js';
import type { Outcome } from './model/outcome.js';
import type { AttemptTransaction, AttemptTransactions } from './ports/attempt-transactions.js';
import type { Delivery } from './ports/broker.js';
import type { Queryable } from './ports/database.js';
import type { Claim, ClaimAnswer, Completion, IdempotencyStore } from './ports/idempotency-store.js';
import { transactionModule } from './runtime/effects.js';
import { Executor } from './runtime/executor.js';
import { type EndedAttempt, HeldJob } from './runtime/held-job.js';
import { type BoundHandler, bindHandlers } from './runtime/handlers.js';
import type { JobPublisher } from './runtime/job-publisher.js';
import { silentLog } from './runtime/log.js';

/** What the processes of a trial share. */
export interface TrialWorld {
  readonly handler: HandlerClass;
  readonly modules: readonly ContainerModule[];
  readonly keys: IdempotencyStore;
  /** Where the store is a PostgreSQL. */
  readonly transactions: PostgresJobTransactions | undefined;
  readonly publisher: JobPublisher;
  /** Begins the keys of this trial, so that it meets those of no other. */
  readonly scope: string;
}

/** The moment in which a handler has done all, and nobody knows it yet. */
export const endOfHandler = 'the end of handle';

/** Keys of a trial are of no use to anybody afterwards. */
const keepForMs = 60_000;
/** A job that comes back more often than this will do so for ever. */
const mostRuns = 1_000;
const turnMs = 10;

/**
 * A process that runs the job of a trial: what a service would, with a container of its own, as after a start. Killed where
 * it is told to be, it leaves what a SIGKILL leaves: what it did, a claim that lapses, a transaction that is rolled back.
 */
export class TrialProcess {
  /** Attempts that it ran. */
  runs = 0;
  readonly #clock = new VirtualClock(Date.now());
  readonly #keys: TrialKeys;
  readonly #transactions: TrialTransactions | undefined;
  readonly #executor: Executor;

  /**
   * @param stopAt where it is killed: what `watch` wrote down of another. Undefined: nowhere.
   * @throws ConfigError when the handler cannot be built.
   */
  static async start(world: TrialWorld, stopAt?: string): Promise<TrialProcess> {
    const watch = new CallWatch(stopAt);
    const modules = [transactionModule(() => world.transactions), ...world.modules];
    const { container, handlers } = await bindHandlers(
      [world.handler],
      modules.map((module) => watchedModule(module, world.handler, watch)),
    );
    return new TrialProcess(world, watch, container, handlers[0]!);
  }

  private constructor(
    world: TrialWorld,
    readonly watch: CallWatch,
    private readonly container: Container,
    handler: BoundHandler,
  ) {
    this.#keys = new TrialKeys(world.keys, world.scope);
    this.#transactions = world.transactions && new TrialTransactions(world.transactions);
    const { idempotency, retry } = handler;
    const shared = { clock: this.#clock, log: silentLog() };
    const stored = { store: this.#keys, transactions: this.#transactions };
    this.#executor = new Executor({
      ...shared,
      handler: watchedHandler(handler, watch),
      service: 'trial',
      publisher: world.publisher,
      filters: idempotency ? [idempotencyFilter({ ...idempotency, ...shared, ...stored, retry })] : [],
      deafMs: 0,
    });
  }

  /** Runs the job until it comes back no more. @returns its last outcome; undefined when the process was killed. */
  async work(delivery: Delivery): Promise<Outcome | undefined> {
    let attempt = 1;
    for (;;) {
      const outcome = await this.#attempt(delivery, attempt);
      if (outcome?.kind !== 'retry' && outcome?.kind !== 'snooze') return outcome;
      if (this.runs >= mostRuns) {
        throw new Error(`The job still comes back after ${this.runs} attempts, now as "${outcome.kind}".`);
      }
      if (outcome.kind === 'retry') attempt++;
      // Somebody else may be at work, on real I/O.
      await new Promise((resolve) => setTimeout(resolve, turnMs));
    }
  }

  /** Ends what the modules opened. */
  async close(): Promise<void> {
    this.#executor.stop();
    await this.container.unbindAllAsync();
  }

  async #attempt(delivery: Delivery, attempt: number): Promise<Outcome | undefined> {
    this.runs++;
    const envelope = readEnvelope(delivery, this.#clock.now(), () => '');
    const held = new HeldJob(delivery, { ...envelope, attempt }, 0, this.#executor);
    const run = new Promise<EndedAttempt>((resolve) => this.#executor.execute(held, resolve));
    const ended = await Promise.race([run, this.watch.stopped]);
    if (ended) return ended.outcome;
    await this.#transactions?.lose();
    await this.#keys.lapse();
    return undefined;
  }
}

/** The keys of a process, among those of its trial. */
class TrialKeys implements IdempotencyStore {
  readonly #claims: Claim[] = [];

  constructor(
    private readonly keys: IdempotencyStore,
    private readonly scope: string,
  ) {}

  async claim(key: string, leaseMs: number): Promise<ClaimAnswer> {
    const answer = await this.keys.claim(`${this.scope}:${key}`, leaseMs, keepForMs);
    if (answer.kind === 'claimed') this.#claims.push(answer.claim);
    return answer;
  }

  complete(claim: Claim, done: Completion, on?: Queryable): Promise<boolean> {
    return this.keys.complete(claim, { ...done, keepForMs }, on);
  }

  release(claim: Claim): Promise<void> {
    return this.keys.release(claim);
  }

  prune(): Promise<number> {
    return this.keys.prune();
  }

  async close(): Promise<void> {}

  /** What it holds is there for others, as when its leases are over. */
  async lapse(): Promise<void> {
    for (const claim of this.#claims) await this.keys.release(claim);
  }
}

/** The transactions of a process. */
class TrialTransactions implements AttemptTransactions {
  readonly #opened: AttemptTransaction[] = [];

  constructor(private readonly transactions: AttemptTransactions) {}

  open(job: JobContext): AttemptTransaction {
    const transaction = this.transactions.open(job);
    this.#opened.push(transaction);
    return transaction;
  }

  /** What PostgreSQL does when a connection is gone. */
  async lose(): Promise<void> {
    for (const transaction of this.#opened) await transaction.rollback();
  }
}

/** The module, with all that it binds watched, but for the handler itself. */
function watchedModule(module: ContainerModule, handler: HandlerClass, watch: CallWatch): ContainerModule {
  return new ContainerModule((options) => {
    const seen = new Set<unknown>([handler]);
    return module.load({
      ...options,
      bind: (service) => {
        if (!seen.has(service)) {
          seen.add(service);
          options.onActivation(service, (_context, value) => watch.wrap(nameOf(service), value));
        }
        return options.bind(service);
      },
    });
  });
}

/** The handler, with the job that it is given watched, and its end. */
function watchedHandler(handler: BoundHandler, watch: CallWatch): BoundHandler {
  return {
    ...handler,
    build: (job) => {
      const built = handler.build(job);
      return {
        async handle(payload, context) {
          const result: unknown = await built.handle(payload, watch.wrap('job', context));
          await watch.pass(endOfHandler);
          return result;
        },
      };
    },
  };
}

function nameOf(service: unknown): string {
  if (typeof service === 'function') return service.name;
  return typeof service === 'symbol' ? (service.description ?? 'symbol') : String(service);
}
