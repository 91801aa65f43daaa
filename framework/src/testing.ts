import type { ContainerModule } from 'inversify';
import { randomUUID } from 'node:crypto';
import { AmqpBroker } from './adapters/amqp/amqp-broker.js';
import { MemoryBroker } from './adapters/memory/memory-broker.js';
import { MemoryIdempotencyStore } from './adapters/memory/memory-idempotency-store.js';
import { MemoryUniqueStore } from './adapters/memory/memory-unique-store.js';
import { showMs } from './base/duration.js';
import { VirtualClock } from './base/virtual-clock.js';
import { JobClient } from './client.js';
import { brokerFeatures, defaultAckTimeoutMs } from './model/broker-features.js';
import type { Contract, InputOf } from './model/contract.js';
import type { EnqueueOptions, EnqueuedJob } from './model/enqueue-options.js';
import type { Attempt, Filter } from './model/filter.js';
import { type HandlerClass, jobDefinition } from './model/job.js';
import type { Outcome } from './model/outcome.js';
import { eventsTopology, jobsTopology, mergeTopologies, wholeDelayNet } from './model/topology.js';
import { silentLog } from './runtime/log.js';
import { JobService, type QueueOptions } from './service.js';

export { VirtualClock } from './base/virtual-clock.js';
export { MemoryBroker } from './adapters/memory/memory-broker.js';
export {
  checkIdempotent,
  type CheckIdempotentOptions,
  type EnqueuedInTrial,
  type IdempotencyFault,
  type IdempotencyReport,
  type TrialPayload,
} from './check-idempotent.js';

/** One attempt, as a test looks at it. */
export interface RailAttempt {
  id: string;
  contract: string;
  attempt: number;
  /** Virtual time at which it began. */
  at: Date;
  outcome: Outcome;
}

export interface TestRailOptions {
  handlers: readonly HandlerClass[];
  modules?: readonly ContainerModule[];
  /** As in `JobServiceOptions`. Default: each queue of the handlers, with a concurrency of 10. */
  queues?: Record<string, QueueOptions>;
  filters?: readonly Filter[];
  /** More time than this passes in one `drain` only when a job goes round for ever. Default 400 days. */
  drainLimitMs?: number;
}

/**
 * A service and a client on the memory broker with a virtual clock: retries, delays and timeouts that take hours take
 * milliseconds. The code under test is what runs on RabbitMQ, but for the broker.
 */
export class TestRail {
  readonly attempts: RailAttempt[] = [];

  constructor(
    readonly clock: VirtualClock,
    readonly broker: MemoryBroker,
    readonly client: JobClient,
    private readonly service: JobService,
    private readonly drainLimitMs: number,
  ) {}

  get completed(): RailAttempt[] {
    return this.#of('completed');
  }

  get retried(): RailAttempt[] {
    return this.#of('retry');
  }

  get dead(): RailAttempt[] {
    return this.#of('dead');
  }

  enqueue<C extends Contract>(
    contract: C,
    payload: InputOf<C>,
    options?: EnqueueOptions<InputOf<C>>,
  ): Promise<EnqueuedJob> {
    return this.client.enqueue(contract, payload, options);
  }

  /** Runs until no job waits, runs, or will come back; virtual time jumps from timer to timer. */
  async drain(): Promise<void> {
    const start = this.clock.now();
    for (;;) {
      await this.#quiet();
      const next = this.clock.nextAt;
      if (next === undefined) return;
      if (next - start > this.drainLimitMs) {
        const last = this.attempts.at(-1);
        throw new Error(
          `drain() passed ${showMs(this.drainLimitMs)} of virtual time and jobs still come back` +
            (last
              ? `; the last attempt was number ${last.attempt} of "${last.contract}" (${last.outcome.kind})`
              : ''),
        );
      }
      this.clock.advance(next - this.clock.now());
    }
  }

  /** Lets virtual time pass, for timeouts and for looking at what waits. */
  async advance(ms: number): Promise<void> {
    await this.#quiet(false);
    this.clock.advance(ms);
    await this.#quiet(false);
  }

  async close(): Promise<void> {
    await this.service.stop();
    await this.broker.close();
  }

  /** @internal */
  record(attempt: Attempt, outcome: Outcome): void {
    const { id, contract, attempt: number } = attempt.job;
    this.attempts.push({ id, contract, attempt: number, at: new Date(attempt.startedAt), outcome });
  }

  #of(kind: Outcome['kind']): RailAttempt[] {
    return this.attempts.filter(({ outcome }) => outcome.kind === kind);
  }

  /** Waits until nothing happens without time passing; a handler that waits for real I/O is waited for. */
  async #quiet(untilIdle = true): Promise<void> {
    for (let calm = 0, turns = 0; calm < 5; calm++, turns++) {
      // A handler that waits for real I/O is looked at now and then, not all the time.
      await new Promise((resolve) => (turns < 100 ? setImmediate(resolve) : setTimeout(resolve, 1)));
      const running = Object.values(this.service.load).some((load) => load.running > 0);
      if (!this.broker.node.idle || (untilIdle && running)) calm = 0;
    }
  }
}

/** @throws as `JobService.start` */
export async function createTestRail(options: TestRailOptions): Promise<TestRail> {
  const clock = new VirtualClock();
  const broker = new MemoryBroker({ clock });
  const definitions = options.handlers.map((handler) => jobDefinition(handler));
  const given =
    options.queues ?? Object.fromEntries(definitions.map(({ contract }) => [contract.queue.name, {}]));
  const queues = Object.fromEntries(Object.entries(given).map(([name, queue]) => [name, fixedSlots(queue)]));
  const { handlers, modules = [] } = options;
  const uniqueStore = new MemoryUniqueStore(clock);
  const shared = { broker, clock, uniqueStore, prefix: 'test', events: 'off' } as const;
  const client = new JobClient({ ...shared, name: 'test' });
  const service = new JobService({
    ...shared,
    name: 'test',
    handlers,
    modules,
    queues,
    log: silentLog(),
    idempotencyStore: new MemoryIdempotencyStore(clock),
    watchdog: false,
    // The memory broker takes no job away: a handler may run for as long as it likes.
    brokerAckTimeout: Math.max(defaultAckTimeoutMs, ...definitions.map(({ timeoutMs }) => 2 * timeoutMs)),
  });
  const rail = new TestRail(clock, broker, client, service, options.drainLimitMs ?? 400 * 86_400_000);
  service.use({
    name: 'record',
    async attempt(attempt, next) {
      const outcome = await next();
      rail.record(attempt, outcome);
      return outcome;
    },
  });
  for (const filter of options.filters ?? []) service.use(filter);
  await service.start().catch(async (error: unknown) => {
    await broker.close(); // it would keep the process alive
    throw error;
  });
  return rail;
}

/** What would be found by measuring differs from run to run. */
function fixedSlots({ concurrency, prefetch, ...others }: QueueOptions): QueueOptions {
  const slots = typeof concurrency === 'number' ? concurrency : 10;
  return { concurrency: slots, prefetch: typeof prefetch === 'number' ? prefetch : 2 * slots, ...others };
}

/** A corner of a real broker that nobody else uses: its own prefix, and everything under it removed at the end. */
export interface IsolatedRail {
  readonly url: string;
  readonly prefix: string;
  readonly client: JobClient;
  /** For looking at queues: `get`, `depth`. */
  readonly broker: AmqpBroker;
  /** Deletes the queues of these contracts, the delay net and the exchanges; closes client and broker. */
  cleanup(...contracts: Contract[]): Promise<void>;
}

/** For tests on a real RabbitMQ. @param url default AMQP_URL. */
export async function isolatedRail(
  url: string = process.env['AMQP_URL'] ?? 'amqp://127.0.0.1',
): Promise<IsolatedRail> {
  const prefix = `t-${randomUUID().slice(0, 8)}`;
  const broker = new AmqpBroker({ url, name: prefix });
  await broker.connect().catch(async (error: unknown) => {
    await broker.close(); // it would go on trying
    throw error;
  });
  const client = new JobClient({ url, prefix, name: 'test' });
  return {
    url,
    prefix,
    client,
    broker,
    async cleanup(...contracts) {
      await client.close();
      await broker.remove(
        mergeTopologies(
          jobsTopology(prefix, contracts, brokerFeatures(broker.info?.version)),
          wholeDelayNet(prefix),
          eventsTopology(prefix),
        ),
      );
      await broker.close();
    },
  };
}
