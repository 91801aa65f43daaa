import { ContainerModule } from 'inversify';
import { JobClient, JobService } from 'jobrail';
import { type Broker, eventsTopology, openBroker } from 'jobrail/events';
import { type Database, openStore } from 'jobrail/store';
import type { Logger } from 'pino';
import { LaneDepths } from './alerts/lane-depths.js';
import {
  AlertReceivers,
  AlertSlackHandler,
  AlertWebhookHandler,
  enqueueAlerts,
} from './alerts/tell-alerts.js';
import { Watch } from './alerts/watch.js';
import type { MonitorConfig } from './config.js';
import { createApp } from './http/app.js';
import { HttpServer } from './http/http-server.js';
import { LiveUpdates } from './http/live-updates.js';
import { routesOf } from './http/routes.js';
import { measure } from './metrics.js';
import { Kinds } from './projection/kinds.js';
import { Projector } from './projection/projector.js';
import { Records } from './search/records.js';
import { openRecords } from './store/open-records.js';

export interface MonitorParts {
  config: MonitorConfig;
  log: Logger;
  version: string;
  /** A broker to use instead of `config.amqpUrl`; it is not closed with the monitor. */
  broker?: Broker | undefined;
}

/**
 * One replica of the monitor: serves the API, projects the events while it has the lease, and then also watches the
 * alerts, which it tells by jobs of its own.
 */
export class Monitor {
  readonly #server: HttpServer;
  readonly #unmeasure: () => void;
  #stopped: Promise<void> | undefined;

  private constructor(
    private readonly parts: MonitorParts,
    private readonly database: Database,
    private readonly broker: Broker,
    private readonly running: {
      projector: Projector;
      live: LiveUpdates;
      client: JobClient;
      service: JobService | undefined;
      server: HttpServer;
    },
  ) {
    this.#server = running.server;
    this.#unmeasure = measure(running.projector);
  }

  /** @throws ConfigError, StoreError, BrokerError: what is wrong and what to do; nothing is left open. */
  static async start(parts: MonitorParts): Promise<Monitor> {
    const { config, log, version } = parts;
    const database = await openStore(config.storeUrl);
    const broker = parts.broker ?? openBroker({ url: config.amqpUrl, name: 'monitor' });
    try {
      await openRecords(database, config.prefix);
      await broker.connect();
      await broker.declare(eventsTopology(config.prefix));
      const kinds = new Kinds();
      const records = new Records(database, kinds);
      const lanes = new LaneDepths(broker, config.prefix);
      const live = new LiveUpdates(broker, config.prefix);
      const own = { prefix: config.prefix, ...(parts.broker ? { broker } : { url: config.amqpUrl }) };
      const client = new JobClient({ ...own, name: 'monitor' });
      const service = await startAlertService(parts, own);
      const projector: Projector = new Projector({
        ...{ broker, database, kinds, prefix: config.prefix, retention: config.retention, log },
        watchEveryMs: config.alerts.everyMs,
        onWatch: (lagMs) => watch.look(lagMs),
      });
      const watch = new Watch({
        ...{ database, records, lanes, rules: config.alerts.rules, repeatMs: config.alerts.repeatMs },
        lease: projector.lease,
        tell: (group) => enqueueAlerts(client, config.alerts.receivers, group),
      });
      const routes = routesOf({ database, records, live, lanes, projecting: () => projector.projecting });
      const ready = () => readiness(broker, records);
      const server = new HttpServer(createApp({ routes, token: config.token, version, ready, log }));
      const monitor = new Monitor(parts, database, broker, { projector, live, client, service, server });
      projector.start();
      return monitor;
    } catch (error) {
      if (!parts.broker) await broker.close();
      await database.close();
      throw error;
    }
  }

  /** @returns the port. */
  listen(): Promise<number> {
    return this.#server.listen(this.parts.config.port, this.parts.config.host);
  }

  /** True while this replica projects. */
  get projecting(): boolean {
    return this.running.projector.projecting;
  }

  /** Answers what was asked, ends the transaction that is under way, lets another replica project. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const { projector, live, client, service } = this.running;
    const served = this.#server.stop(this.parts.config.gracePeriodMs);
    await live.close();
    await projector.stop();
    this.#unmeasure();
    await served;
    await service?.stop();
    await client.close();
    if (!this.parts.broker) await this.broker.close();
    await this.database.close();
  }
}

async function readiness(broker: Broker, records: Records) {
  const projection = await records.projection().catch(() => undefined);
  return {
    ok: broker.connected && projection !== undefined,
    broker: broker.connected ? 'connected' : 'not connected',
    store: projection ? 'reachable' : 'not reachable',
  };
}

/** Hosts the handlers that tell alerts, where there is somebody to tell. */
async function startAlertService(
  { config, log }: MonitorParts,
  own: { prefix: string; url?: string; broker?: Broker },
): Promise<JobService | undefined> {
  const { receivers } = config.alerts;
  if (receivers.webhookUrl === undefined && receivers.slackUrl === undefined) return undefined;
  const service = new JobService({
    ...own,
    name: 'monitor',
    handlers: [AlertWebhookHandler, AlertSlackHandler],
    modules: [new ContainerModule(({ bind }) => void bind(AlertReceivers).toConstantValue(receivers))],
    queues: { alerts: { concurrency: 2 } },
    log,
  });
  await service.start();
  return service;
}
