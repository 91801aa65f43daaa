import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { AmqpBroker } from './adapters/amqp/amqp-broker.js';
import { tlsFromEnvironment, type TlsOptions } from './adapters/amqp/tls.js';
import { type OutboxTransaction, writeOutbox } from './adapters/sql/outbox.js';
import { type Clock, systemClock } from './base/clock.js';
import { type Duration, durationMs } from './base/duration.js';
import { describe, JobrailError, OptionError } from './base/errors.js';
import { refuseUnknownOptions, wholeNumber } from './base/options.js';
import { compose } from './base/pipeline.js';
import { eventsFilter } from './filters/events.js';
import { metricsFilter } from './filters/metrics.js';
import { traceFilter } from './filters/trace.js';
import { askStatus, type JobStatus, type MonitorAccess, monitorAccess } from './job-status.js';
import {
  type Contract,
  type InputOf,
  type ResultOf,
  validatePayload,
  validateResult,
} from './model/contract.js';
import { JobFailure } from './model/reply.js';
import { cancelUntil } from './model/control.js';
import { checkJobId, type EnqueueOptions, type EnqueuedJob } from './model/enqueue-options.js';
import { type EventLevel, eventLevels } from './model/event.js';
import { type Filter, publishSteps, type Sending } from './model/filter.js';
import type { JobLog } from './model/job-context.js';
import { defaultPrefix } from './model/topology.js';
import type { Broker } from './ports/broker.js';
import type { Database } from './ports/database.js';
import type { UniqueStore } from './ports/unique-store.js';
import { sendControl } from './runtime/control.js';
import { JobCaller } from './runtime/job-caller.js';
import { enqueueMany, type EnqueueManyOptions } from './runtime/enqueue-many.js';
import { EventRecorder } from './runtime/event-recorder.js';
import { JobPublisher } from './runtime/job-publisher.js';
import { silentLog } from './runtime/log.js';
import { UniqueJobs } from './runtime/unique-jobs.js';
import { ConfiguredStore } from './store.js';

export interface JobClientOptions {
  /** Broker URL, several, or a comma-separated list. Default: AMQP_URL, else amqp://127.0.0.1. */
  url?: string | readonly string[];
  /**
   * Certificates for `amqps://` URLs: PEM text or buffers, as Node's `tls.connect` takes them. Default: from the files
   * that AMQP_CA_FILE, AMQP_CERT_FILE and AMQP_KEY_FILE name (AMQP_KEY_PASSPHRASE), else what Node trusts.
   */
  tls?: TlsOptions;
  /** Begins the names of all exchanges and queues. Default: JOBRAIL_PREFIX, else `jobrail`. */
  prefix?: string;
  /** Name of the sending service, on every job. Default `client`. */
  name?: string;
  /** How long the first connection may take. Default 10 s. */
  connectTimeout?: Duration;
  /** How long a confirm may take before `enqueue` rejects. Default 10 s. */
  publishTimeout?: Duration;
  /** A larger payload is refused. Default 1 MiB, at most 15 MiB. */
  maxPayloadBytes?: number;
  /**
   * What is told onto the event stream of the jobs that are enqueued: `best-effort` (default), many in one message a
   * little later; `confirmed`, `enqueue` waits for it, too; `off`, nothing.
   */
  events?: EventLevel;
  /**
   * URL of the monitor that `status` asks. Default: JOBRAIL_MONITOR_URL, else none. Its token is taken from
   * JOBRAIL_MONITOR_TOKEN.
   */
  monitor?: string;
  /** A broker to use instead of `url`; it is not closed with the client. */
  broker?: Broker;
  /** Where the keys of unique jobs are kept: as `store` of JobService, but without a default. Default: JOBRAIL_STORE_URL. */
  store?: string | Database;
  /** Keeps the keys of unique jobs instead of `store`. */
  uniqueStore?: UniqueStore;
  clock?: Clock;
}

const knownOptions = [
  'url',
  'tls',
  'prefix',
  'name',
  'connectTimeout',
  'publishTimeout',
  'maxPayloadBytes',
  'events',
  'monitor',
  'broker',
  'store',
  'uniqueStore',
  'clock',
];

const mib = 1024 * 1024;

export interface RunOptions extends Omit<EnqueueOptions, 'delay' | 'runAt' | 'unique'> {
  /** How long to wait for the result. */
  within: Duration;
}

/** The producing side. Connects on first use. */
export class JobClient {
  readonly #broker: Broker;
  readonly #ownsBroker: boolean;
  readonly #filters: Filter[] = [traceFilter, metricsFilter()];
  readonly #events: EventRecorder | undefined;
  readonly #options: ReturnType<typeof readClientOptions>;
  readonly #monitor: MonitorAccess;
  readonly #store: ConfiguredStore;
  readonly #unique: UniqueJobs;
  #publisher: JobPublisher | undefined;
  #caller: JobCaller | undefined;

  /** @throws OptionError */
  constructor(options: JobClientOptions = {}) {
    refuseUnknownOptions('JobClient', options, knownOptions);
    this.#options = readClientOptions(options);
    this.#monitor = monitorAccess(
      options.monitor ?? (process.env['JOBRAIL_MONITOR_URL'] || undefined),
      process.env['JOBRAIL_MONITOR_TOKEN'] || undefined,
    );
    this.#broker = brokerOf(options, this.#options.name);
    this.#ownsBroker = options.broker === undefined;
    this.#store = new ConfiguredStore(options.store);
    const { uniqueStore } = options;
    this.#unique = new UniqueJobs({ ...this.#options, uniqueStore, openDatabase: () => this.#store.open() });
    this.#events = recorderOf(this.#options, 'best-effort', this.#broker, silentLog());
    if (this.#events) this.#filters.push(eventsFilter(this.#events, this.#options.clock));
  }

  /** Adds a filter around each publish. Before the first `enqueue`. */
  use(filter: Filter): this {
    if (this.#publisher)
      throw new JobrailError('JR_CONFIG_INVALID', 'A filter was added after the first enqueue.', {
        mend: 'Call use() right after new JobClient().',
      });
    this.#filters.push(filter);
    return this;
  }

  /** Connects now, rather than at the first `enqueue`. @throws BrokerError */
  async connect(): Promise<void> {
    await this.#broker.connect();
  }

  /** False while the connection to the broker is lost. */
  get connected(): boolean {
    return this.#broker.connected;
  }

  /**
   * Enqueues a job. Resolves only when the broker has it on disk.
   * @throws ContractError (payload), OptionError (options), StoreError (`unique`), PublishError or BrokerError (broker); a PublishError says
   * whether the job may have been accepted all the same.
   */
  async enqueue<C extends Contract>(
    contract: C,
    payload: InputOf<C>,
    options?: EnqueueOptions<InputOf<C>>,
  ): Promise<EnqueuedJob> {
    return this.#ready().enqueue(contract, payload, options);
  }

  /**
   * Enqueues many jobs of one contract, pipelined. All payloads are held against the schema before the first is sent.
   * @param options for each job; `id` is not possible here. With `pack`, several jobs share a message (`docs/packs.md`).
   * @throws as `enqueue`, before anything is sent; BatchError when the broker did not take all.
   */
  async enqueueMany<C extends Contract>(
    contract: C,
    payloads: readonly InputOf<C>[],
    options: EnqueueManyOptions<InputOf<C>> = {},
  ): Promise<EnqueuedJob[]> {
    return enqueueMany(this.#ready(), contract, payloads, options);
  }

  /**
   * What became of a job, from the monitor, which hears of it a moment after it happened. Undefined for a job that it does
   * not know: never enqueued, not recorded yet, or no longer kept.
   * @throws MonitorError: `JR_MONITOR_UNSET` without a monitor, `JR_MONITOR_UNREACHABLE` when it does not answer.
   */
  async status(id: string): Promise<JobStatus | undefined> {
    return askStatus(this.#monitor, id);
  }

  /**
   * Enqueues a job and waits for its result. Whether somebody waits changes nothing for the job: it is as durable as any,
   * and goes on when the caller is gone.
   * @param options.within how long to wait; from a few ms on. The rest as for `enqueue`, without a delay.
   * @throws JobFailure (`JR_JOB_FAILED`) when the job ended otherwise than completed, with name and message of its error;
   * JobrailError (`JR_RESULT_LATE`); ContractError (`JR_RESULT_INVALID`) for a contract without a result; as `enqueue`.
   */
  async run<C extends Contract>(
    contract: C,
    payload: InputOf<C>,
    { within, ...options }: RunOptions,
  ): Promise<ResultOf<C>> {
    const withinMs = durationMs(within, `within of run("${contract.name}")`);
    if ('delay' in options || 'runAt' in options) {
      throw new OptionError(`run("${contract.name}") has a delay.`, {
        mend: 'Nobody waits for a job that is not to start yet: use enqueue(), and result() later.',
      });
    }
    if (!contract.result) await validateResult(contract, undefined);
    const publisher = this.#ready();
    const checked = validatePayload(contract, payload);
    if (checked instanceof Promise) await checked;
    await publisher.declare(contract);
    this.#caller ??= new JobCaller(this.#broker, this.#filters, this.#options.clock);
    return this.#caller.call(contract, publisher.prepare(contract, payload, options), withinMs);
  }

  /**
   * The result of a job, from the record of the monitor; undefined while there is none: it has not ended, is not recorded
   * yet or no longer kept, or its contract has no `result`.
   * @throws JobFailure as `run`; MonitorError as `status`.
   */
  async result(id: string): Promise<unknown> {
    const status = await this.status(id);
    if (!status) return undefined;
    const { state, result, error, reason } = status;
    if (state === 'dead' || state === 'discarded' || state === 'cancelled' || state === 'expired') {
      throw new JobFailure(id, state, error ?? { name: 'Error', message: reason ?? `The job is ${state}.` });
    }
    return result;
  }

  /**
   * Cancels a job, wherever it is: one that waits, is delayed or comes back for a retry ends as `cancelled` when its turn
   * comes, without being run; of one that runs, `job.signal` aborts with `Cancelled`. Resolves when the broker has the
   * order; every service hears it within moments, also one that is started later. No error when there is no such job,
   * or when it has ended.
   * @param options.reason kept with the job. @param options.by who cancels, for the audit; default: name of the client.
   * @throws OptionError, PublishError, BrokerError
   */
  async cancel(id: string, options: { reason?: string; by?: string } = {}): Promise<void> {
    refuseUnknownOptions('cancel()', options, ['reason', 'by']);
    checkJobId(id, 'id of cancel()');
    const { prefix, clock, name } = this.#options;
    const { reason, by = name } = options;
    const until = cancelUntil(clock.now());
    const order = { action: 'cancel' as const, job: id, until, ...(reason !== undefined && { reason }) };
    await sendControl(order, { broker: this.#broker, prefix, clock, by, events: this.#events });
  }

  /**
   * Enqueues a job within a transaction of your own on PostgreSQL: it is sent if and when that is committed, by an
   * `OutboxRelay` (`jobrail/postgres`) on the same database, and never if it is rolled back. Needs no broker. A delay counts
   * from now.
   * @param transaction a client of `pg` in which BEGIN was said, a `JobTransaction`, or an adapter (`docs/outbox.md`).
   * @throws ContractError, OptionError as `enqueue`; StoreError: `JR_TRANSACTION_CLOSED`, `JR_STORE_FAILED`.
   */
  async enqueueIn<C extends Contract>(
    transaction: OutboxTransaction,
    contract: C,
    payload: InputOf<C>,
    options?: Omit<EnqueueOptions, 'unique'>,
  ): Promise<EnqueuedJob> {
    const publisher = this.#ready();
    const checked = validatePayload(contract, payload);
    if (checked instanceof Promise) await checked;
    const sending = publisher.prepare(contract, payload, options);
    // That it was enqueued is told when it is sent.
    const filters = this.#filters.filter(({ name }) => name !== 'events');
    const write = compose(publishSteps(filters), ({ message: { body, properties } }: Sending) =>
      writeOutbox(transaction, this.#options.prefix, { contract, body, properties }),
    );
    await write(sending);
    return { id: sending.id };
  }

  /** Waits for what is being sent, then disconnects. */
  async close(): Promise<void> {
    await this.#caller?.close();
    await this.#events?.close(eventsLeftMs);
    await this.#unique.close();
    await this.#store.close();
    if (this.#ownsBroker) await this.#broker.close();
  }

  #ready(): JobPublisher {
    const { prefix, name, mostPayloadBytes, clock } = this.#options;
    this.#publisher ??= new JobPublisher({
      broker: this.#broker,
      prefix,
      clock,
      app: name,
      filters: this.#filters,
      mostPayloadBytes,
      unique: this.#unique,
    });
    return this.#publisher;
  }
}

export function readClientOptions(options: JobClientOptions) {
  return {
    prefix: options.prefix ?? process.env['JOBRAIL_PREFIX'] ?? defaultPrefix,
    name: options.name ?? 'client',
    clock: options.clock ?? systemClock,
    events: eventLevel(options.events),
    mostPayloadBytes: wholeNumber(options.maxPayloadBytes ?? mib, 'maxPayloadBytes', {
      min: 1,
      max: 15 * mib,
    }),
  };
}

/** How long the last events may take when a client or service ends. */
export const eventsLeftMs = 2_000;

function eventLevel(level: EventLevel | undefined): EventLevel | undefined {
  if (level === undefined || eventLevels.includes(level)) return level;
  throw new OptionError(`events is ${describe(level)}.`, {
    mend: `Use one of ${eventLevels.map((known) => `"${known}"`).join(', ')}.`,
  });
}

/** What sends the events of a client or service, or undefined where they are off. */
export function recorderOf(
  { name, prefix, clock, events }: ReturnType<typeof readClientOptions>,
  byDefault: EventLevel,
  broker: Broker,
  log: JobLog,
): EventRecorder | undefined {
  const level = events ?? byDefault;
  if (level === 'off') return undefined;
  const sender = { service: name, instance: randomUUID(), host: hostname(), pid: process.pid };
  return new EventRecorder({ broker, prefix, level, sender, clock, log });
}

/** The broker that options ask for. */
export function brokerOf(options: JobClientOptions, name: string): Broker {
  if (options.broker) return options.broker;
  const tls = options.tls ?? tlsFromEnvironment(process.env);
  return new AmqpBroker({
    url: options.url ?? process.env['AMQP_URL'] ?? 'amqp://127.0.0.1',
    name,
    ...(tls && { tls }),
    ...(options.connectTimeout !== undefined && { connectTimeout: options.connectTimeout }),
    ...(options.publishTimeout !== undefined && { publishTimeout: options.publishTimeout }),
    ...(options.clock && { clock: options.clock }),
  });
}
