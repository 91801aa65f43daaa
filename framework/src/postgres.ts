import type { Logger } from 'pino';
import { Outbox, outboxChannel } from './adapters/sql/outbox.js';
import { PostgresDatabase } from './adapters/postgres/postgres-database.js';
import { type Duration, durationMs } from './base/duration.js';
import { refuseUnknownOptions } from './base/options.js';
import { brokerOf, eventsLeftMs, type JobClientOptions, readClientOptions, recorderOf } from './client.js';
import { eventsFilter } from './filters/events.js';
import type { Broker } from './ports/broker.js';
import type { EventRecorder } from './runtime/event-recorder.js';
import { JobPublisher } from './runtime/job-publisher.js';
import { defaultLog } from './runtime/log.js';
import { OutboxSender } from './runtime/outbox-sender.js';

export type { OutboxTransaction } from './adapters/sql/outbox.js';
export {
  PostgresDatabase,
  PostgresTransaction,
  type PostgresOptions,
} from './adapters/postgres/postgres-database.js';
export { JobTransaction } from './model/job-transaction.js';

export interface OutboxRelayOptions extends JobClientOptions {
  /** `postgres://…`: the database in whose transactions jobs are enqueued. */
  store: string;
  /** How often it looks without being woken. Default 5 s. */
  pollEvery?: Duration;
  /** Default: pino, readable on a terminal, JSON lines otherwise. */
  log?: Logger;
}

const knownOptions = [
  'store', 'pollEvery', 'log',
  'url', 'tls', 'prefix', 'name', 'connectTimeout', 'publishTimeout', 'maxPayloadBytes', 'events', 'broker', 'clock',
]; // prettier-ignore

/**
 * Sends the jobs that `client.enqueueIn` wrote into a PostgreSQL. Run one or several, in processes of their own or beside
 * something else: the jobs of a queue are sent in order, by one of them at a time.
 */
export class OutboxRelay {
  readonly #database: PostgresDatabase;
  readonly #outbox: Outbox;
  readonly #broker: Broker;
  readonly #ownsBroker: boolean;
  readonly #events: EventRecorder | undefined;
  readonly #sender: OutboxSender;
  #listening: { close(): Promise<void> } | undefined;
  #stopped: Promise<void> | undefined;

  /** @throws OptionError. Connects only in `start`. */
  constructor(options: OutboxRelayOptions) {
    refuseUnknownOptions('OutboxRelay', options, knownOptions);
    const settings = readClientOptions({ name: 'outbox', ...options });
    const { prefix, clock, name: app, mostPayloadBytes } = settings;
    const log = options.log ?? defaultLog(app);
    this.#database = new PostgresDatabase({ url: options.store });
    this.#outbox = new Outbox(this.#database, prefix);
    this.#broker = brokerOf(options, app);
    this.#ownsBroker = options.broker === undefined;
    this.#events = recorderOf(settings, 'best-effort', this.#broker, log);
    const filters = this.#events ? [eventsFilter(this.#events, clock)] : [];
    const publisher = new JobPublisher({
      broker: this.#broker,
      prefix,
      clock,
      app,
      filters,
      mostPayloadBytes,
    });
    const pollMs = durationMs(options.pollEvery ?? '5s', 'pollEvery of OutboxRelay');
    this.#sender = new OutboxSender({ outbox: this.#outbox, publisher, prefix, log, clock, pollMs });
  }

  /** Makes or updates the table, connects, and begins to send. @throws StoreError, BrokerError; nothing is left open. */
  async start(): Promise<void> {
    try {
      await this.#outbox.prepare();
      await this.#broker.connect();
      this.#listening = await this.#database.listen(outboxChannel, () => this.#sender.wake());
      this.#sender.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Finishes what is under way, then disconnects. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** `start`, then until SIGTERM or SIGINT, then `stop`. */
  async run(): Promise<void> {
    await this.start();
    await new Promise<void>((resolve) => {
      const onSignal = () => {
        process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
        resolve();
      };
      process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
    });
    await this.stop();
  }

  async #stop(): Promise<void> {
    await this.#sender.stop();
    await this.#listening?.close();
    await this.#events?.close(eventsLeftMs);
    if (this.#ownsBroker) await this.#broker.close();
    await this.#database.close();
  }
}
