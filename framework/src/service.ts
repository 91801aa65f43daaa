import type { Container, ContainerModule } from 'inversify';
import type { Logger } from 'pino';
import { type Duration, durationMs } from './base/duration.js';
import { ConfigError, describe, OptionError } from './base/errors.js';
import { refuseUnknownOptions } from './base/options.js';
import { version } from './base/version.js';
import { brokerOf, eventsLeftMs, type JobClientOptions, readClientOptions, recorderOf } from './client.js';
import { eventsFilter } from './filters/events.js';
import { logFilter } from './filters/log.js';
import { metricsFilter, observeQueues } from './filters/metrics.js';
import { replyFilter } from './filters/reply.js';
import { traceFilter } from './filters/trace.js';
import { type BrokerFeatures, brokerFeatures } from './model/broker-features.js';
import type { Queue } from './model/contract.js';
import type { EventLevel } from './model/event.js';
import type { Filter } from './model/filter.js';
import type { ControlOrder } from './model/control.js';
import type { HandlerClass } from './model/job.js';
import { jobsTopology, laneQueue, type Topology } from './model/topology.js';
import type { Broker } from './ports/broker.js';
import { Control } from './runtime/control.js';
import type { EventRecorder } from './runtime/event-recorder.js';
import type { Database } from './ports/database.js';
import type { IdempotencyStore } from './ports/idempotency-store.js';
import type { UniqueStore } from './ports/unique-store.js';
import { Effects } from './runtime/effects.js';
import { Executor } from './runtime/executor.js';
import { type BoundHandler, bindHandlers } from './runtime/handlers.js';
import { HealthServer } from './runtime/health.js';
import { Heartbeat, type ServiceFacts } from './runtime/heartbeat.js';
import { JobPublisher } from './runtime/job-publisher.js';
import { defaultLog } from './runtime/log.js';
import { Isolates, slotsFor } from './runtime/isolates.js';
import { refuseInIsolate } from './runtime/isolate-mark.js';
import { LoopTurn } from './runtime/loop-turn.js';
import { ackTimeoutOf, type QueueOptions, queuesOf, readQueueOptions } from './runtime/queue-options.js';
import { LoadGauge } from './runtime/process-load.js';
import { Settler } from './runtime/settler.js';
import { Solo } from './runtime/solo.js';
import { Watchdog } from './runtime/watchdog.js';
import { Worker } from './runtime/worker.js';
import { ConfiguredStore } from './store.js';

export type { QueueOptions };

export interface JobServiceOptions extends Omit<JobClientOptions, 'name' | 'events' | 'monitor' | 'store'> {
  /** Name of the service, on its spans, log lines and the jobs it enqueues. */
  name: string;
  handlers: readonly HandlerClass[];
  /** inversify modules with what the handlers need. */
  modules?: readonly ContainerModule[];
  /** Each queue that the handlers' contracts live on, by name. */
  queues: Record<string, QueueOptions>;
  /** How long running jobs may take to finish once the service stops. Default 25 s. */
  gracePeriod?: Duration;
  /** How long a handler may go on after `job.signal` aborted before its slot is taken away. Default 10 s. */
  abandonAfter?: Duration;
  /** The `consumer_timeout` that the broker is configured for, where it is not RabbitMQ's 30 min. */
  brokerAckTimeout?: Duration;
  /** The process is killed when its event loop stands still for this long; `false` never. Default 30 s. */
  watchdog?: Duration | false;
  /**
   * What is told onto the event stream of the jobs that run here. `confirmed` (default): a job is acked only when the
   * broker has the event of its outcome. `best-effort`: it is acked at once. `off`: nothing is told.
   */
  events?: EventLevel;
  /** Serves `/health/live` and `/health/ready`. */
  health?: { port: number; host?: string };
  /**
   * Where the keys of idempotent handlers and of unique jobs are kept: `postgres://…`, `sqlite:<file>`, or a Database of `jobrail/store`, which is not
   * closed with the service. Default: JOBRAIL_STORE_URL, else the file `jobrail.sqlite` in the working directory, which
   * several processes of one host may share. Not opened when no handler is idempotent and no
   * unique job comes; for unique jobs there is no default.
   */
  store?: string | Database;
  /** Keeps the keys of idempotent handlers instead of `store`. */
  idempotencyStore?: IdempotencyStore;
  /** Keeps the keys of unique jobs instead of `store`. */
  uniqueStore?: UniqueStore;
  /** Default: pino, readable on a terminal, JSON lines otherwise, level from LOG_LEVEL. */
  log?: Logger;
}

const knownOptions = [
  'name', 'handlers', 'modules', 'queues', 'gracePeriod', 'abandonAfter', 'brokerAckTimeout', 'watchdog', 'health', 'log',
  'store', 'idempotencyStore', 'uniqueStore',
  'url', 'tls', 'prefix', 'connectTimeout', 'publishTimeout', 'maxPayloadBytes', 'events', 'broker', 'clock',
]; // prettier-ignore

type State = 'new' | 'starting' | 'running' | 'stopping' | 'stopped';

/**
 * A process that hosts handlers for one or more queues.
 *
 *   new ──start()──▶ starting ──consumers registered──▶ running ──stop()──▶ stopping ──drained──▶ stopped
 *                       └──anything wrong──▶ stopped, start() rejects
 */
export class JobService {
  readonly #options: JobServiceOptions;
  readonly #settings: ReturnType<typeof readClientOptions>;
  readonly #graceMs: number;
  readonly #deafMs: number;
  readonly #log: Logger;
  readonly #broker: Broker;
  readonly #filters: Filter[];
  readonly #health: HealthServer;
  readonly #watchdog: Watchdog | undefined;
  readonly #control: Control;
  readonly #events: EventRecorder | undefined;
  readonly #heartbeat: Heartbeat | undefined;
  readonly #effects: Effects;
  readonly #store: ConfiguredStore;
  readonly #isolates: Isolates;
  readonly #gauge = new LoadGauge((load) => this.#workers.forEach((worker) => worker.tune(load)));
  #unobserve: (() => void) | undefined;
  #container: Container | undefined;
  #workers: Worker[] = [];
  #state: State = 'new';
  #stopped: Promise<void> | undefined;

  /** @throws OptionError. Connects only in `start`. */
  constructor(options: JobServiceOptions) {
    refuseUnknownOptions('JobService', options, knownOptions);
    if (typeof options.name !== 'string' || options.name === '') {
      throw new OptionError(`name of JobService is ${describe(options.name)}.`, {
        mend: 'Give the service a name.',
      });
    }
    this.#options = options;
    this.#settings = readClientOptions(options);
    this.#graceMs = durationMs(options.gracePeriod ?? '25s', 'gracePeriod of JobService');
    this.#deafMs = durationMs(options.abandonAfter ?? '10s', 'abandonAfter of JobService');
    this.#log = options.log ?? defaultLog(options.name);
    this.#isolates = new Isolates(this.#log);
    this.#broker = brokerOf(options, options.name);
    this.#control = new Control({
      broker: this.#broker,
      prefix: this.#settings.prefix,
      clock: this.#settings.clock,
      log: this.#log,
      reader: () => ({ service: options.name, queues: this.#workers.map(({ facts }) => facts) }),
      onOrder: (order, live) => this.#obey(order, live),
    });
    this.#filters = [traceFilter, metricsFilter(), logFilter(this.#log)];
    this.#events = recorderOf(this.#settings, 'confirmed', this.#broker, this.#log);
    if (this.#events) {
      const { clock } = this.#settings;
      this.#filters.push(eventsFilter(this.#events, clock));
      this.#heartbeat = new Heartbeat(this.#events, clock, () => this.#facts());
    }
    this.#store = new ConfiguredStore(options.store, () => ({ mostTransactions: this.#mostTransactions() }));
    this.#effects = new Effects({
      ...this.#settings,
      log: this.#log,
      idempotencyStore: options.idempotencyStore,
      uniqueStore: options.uniqueStore,
      store: this.#store,
    });
    const { watchdog = '30s' } = options;
    if (watchdog !== false) this.#watchdog = new Watchdog(durationMs(watchdog, 'watchdog of JobService'));
    this.#health = new HealthServer(() => this.readiness());
  }

  /** Adds a filter around each attempt, and around each publish of its handlers. Before `start`. */
  use(filter: Filter): this {
    if (this.#state !== 'new') {
      throw new ConfigError('JR_CONFIG_INVALID', `Filter "${filter.name}" was added after start().`, {
        mend: 'Call use() right after new JobService().',
      });
    }
    this.#filters.push(filter);
    return this;
  }

  get state(): State {
    return this.#state;
  }

  /** By queue: slots in use and jobs in hand, and how many there may be of each at the moment. */
  get load(): Record<string, { running: number; held: number; concurrency: number; prefetch: number }> {
    const loads = this.#workers.map(({ queue, running, held, concurrency, prefetch }) => {
      return [queue, { running, held, concurrency, prefetch }] as const;
    });
    return Object.fromEntries(loads);
  }

  /** Ready when it runs, all its consumers are registered and the broker was heard within a heartbeat interval. */
  readiness() {
    const consumers = Object.fromEntries(this.#workers.map(({ queue, ready }) => [queue, ready]));
    const ok = this.#state === 'running' && Object.values(consumers).every(Boolean);
    const paused = this.#workers.flatMap((worker) => (worker.paused ? [worker.queue] : []));
    return { ok, state: this.#state, consumers, ...(paused.length > 0 && { paused }) };
  }

  /**
   * Builds the handlers, connects, declares the topology and registers the consumers.
   * @throws ConfigError, OptionError, TopologyError, BrokerError: what is wrong and what to do; nothing is left open.
   */
  async start(): Promise<void> {
    if (this.#state !== 'new') {
      throw new ConfigError('JR_CONFIG_INVALID', `start() was called on a service that is ${this.#state}.`, {
        mend: 'Make a new JobService for each start.',
      });
    }
    this.#state = 'starting';
    try {
      refuseInIsolate(this.#options.name);
      const modules = [this.#effects.module, ...(this.#options.modules ?? [])];
      const { handlers, container } = await bindHandlers(this.#options.handlers, modules, (definition) =>
        this.#isolates.handlerOf(definition),
      );
      this.#container = container;
      const queues = queuesOf(handlers, this.#options);
      const slotsOf = (queue: string) => readQueueOptions(queue, this.#options.queues[queue]!).concurrency;
      await this.#isolates.open(handlers, slotsOf);
      await this.#effects.open(handlers);
      await this.#broker.connect();
      const features = brokerFeatures(this.#broker.info?.version);
      this.#workers = this.#makeWorkers(handlers, queues, features);
      await this.#broker.declare(serviceTopology(this.#settings.prefix, handlers, features));
      await this.#control.start();
      this.#watchdog?.start(); // before the first job, which may be the one that it is for
      await Promise.all(this.#workers.map((worker) => worker.start()));
      this.#gauge.start();
      this.#unobserve = observeQueues(() => this.#workers.map((worker) => worker.gauges));
      const { health } = this.#options;
      if (health) await this.#health.start(health.port, health.host);
      this.#state = 'running';
      this.#heartbeat?.start();
      this.#log.info(
        { queues: [...queues.keys()], broker: this.#broker.info },
        `service ${this.#options.name} is ready`,
      );
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Stops taking jobs, lets running ones finish within the grace period, gives back the rest, disconnects. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** `start`, then until SIGTERM or SIGINT, then `stop`. A second signal ends the process at once with exit code 1. */
  async run(): Promise<void> {
    await this.start();
    let signals = 0;
    const onSignal = (signal: NodeJS.Signals) => {
      if (++signals > 1) process.exit(1);
      this.#log.info({ signal }, 'stopping; a second signal ends at once');
      void this.stop();
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
    await new Promise<void>((resolve) => (this.#onStopped = resolve));
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
  }

  #onStopped: (() => void) | undefined;

  async #stop(): Promise<void> {
    this.#state = 'stopping';
    this.#gauge.stop();
    await Promise.all(this.#workers.map((worker) => worker.stop(this.#graceMs)));
    await this.#isolates.close();
    this.#heartbeat?.stop();
    await this.#events?.close(eventsLeftMs);
    await this.#health.stop();
    this.#unobserve?.();
    await this.#watchdog?.stop();
    await this.#control.stop();
    if (this.#options.broker === undefined) await this.#broker.close();
    await this.#effects.close();
    await this.#store.close();
    await this.#container?.unbindAllAsync();
    this.#state = 'stopped';
    this.#log.info(`service ${this.#options.name} is stopped`);
    this.#onStopped?.();
  }

  #obey(order: ControlOrder, live: boolean): void {
    if (order.action === 'cancel') {
      for (const worker of this.#workers) worker.cancel(order.job, order.reason);
    } else if (order.action === 'drain') {
      if (!live || order.service !== this.#options.name) return;
      this.#log.warn('told to drain; stopping');
      void this.stop();
    } else {
      const own = this.#workers.find(({ queue }) => queue === order.queue);
      own?.setPaused(this.#control.isPaused(order.queue));
    }
  }

  #facts(): ServiceFacts {
    const queues = this.#workers.map((worker) => ({
      name: worker.queue,
      concurrency: worker.concurrency,
      prefetch: worker.prefetch,
      running: worker.running,
      held: worker.held,
      ready: worker.ready,
      paused: worker.paused,
    }));
    return { state: this.#state, version, queues };
  }

  #repliesFor({ contract }: BoundHandler): Filter[] {
    return contract.result ? [replyFilter(this.#broker, this.#log)] : [];
  }

  #mostTransactions(): number {
    // Slots that are found beyond those wait for a connection, which the tuning sees in their latency.
    const slots = Object.entries(this.#options.queues).map(
      ([name, options]) => readQueueOptions(name, options).concurrency.from,
    );
    return slots.reduce((sum, each) => sum + each, 0);
  }

  #makeWorkers(
    handlers: readonly BoundHandler[],
    queues: ReadonlyMap<string, Queue>,
    features: BrokerFeatures,
  ): Worker[] {
    const { name, brokerAckTimeout } = this.#options;
    const deafMs = this.#deafMs;
    const { clock, prefix, mostPayloadBytes } = this.#settings;
    const shared = {
      clock,
      log: this.#log,
      filters: this.#filters,
      service: name,
      solo: new Solo(),
      turn: new LoopTurn(),
    };
    const cancelOf = (job: string) => this.#control.cancelOf(job);
    const publisher = new JobPublisher({
      ...shared,
      broker: this.#broker,
      prefix,
      app: name,
      mostPayloadBytes,
      unique: this.#effects.unique,
    });
    const { countsRequeues } = features;
    const settler = new Settler({ ...shared, publisher, events: this.#events, countsRequeues });
    return [...queues.values()].map((queue) => {
      const own = handlers.filter(({ contract }) => contract.queue.name === queue.name);
      const ackTimeoutMs = ackTimeoutOf(queue, own, { brokerAckTimeout, features, deafMs });
      const executors = own.map(
        (handler) =>
          new Executor({
            ...shared,
            filters: [...this.#filters, ...this.#repliesFor(handler), ...this.#effects.filtersFor(handler)],
            handler,
            publisher,
            deafMs,
            cancelOf,
          }),
      );
      const slots = readQueueOptions(queue.name, this.#options.queues[queue.name]!);
      return new Worker({
        ...shared,
        ...slots,
        concurrency: slotsFor(own, slots.concurrency),
        ackTimeoutMs,
        broker: this.#broker,
        prefix,
        queue,
        executors,
        settler,
      });
    });
  }
}

/** The queues of the handlers, and what else they are bound to. */
function serviceTopology(
  prefix: string,
  handlers: readonly BoundHandler[],
  features: BrokerFeatures,
): Topology {
  const contracts = handlers.map(({ contract }) => contract);
  const topology = jobsTopology(prefix, contracts, features);
  for (const { contract, bindings } of handlers) {
    for (const { exchange, routingKey } of bindings) {
      topology.bindings.push({ source: exchange, routingKey, queue: laneQueue(prefix, contract.queue, 0) });
    }
  }
  return topology;
}
