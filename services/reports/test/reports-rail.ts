import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { SendEmail } from '@jobrail/email/jobs';
import { openStorage, type Storage } from '@jobrail/storage';
import type { Duration, JobService, Outcome } from 'jobrail';
import { type IsolatedRail, isolatedRail } from 'jobrail/testing';
import { pino } from 'pino';
import { readConfig } from '../src/config.js';
import { BuildReport } from '../src/jobs.js';
import { type OpenedReports, openReports } from '../src/reports-module.js';
import { reportsService } from '../src/reports-service.js';

type Message = NonNullable<Awaited<ReturnType<IsolatedRail['broker']['get']>>>;

/** What happened to a job in a service of this process, in order. */
export type Sighting =
  { kind: 'progress'; id: string; fraction: number } | { kind: 'outcome'; id: string; outcome: Outcome };

/** A corner of a real RabbitMQ, a storage folder, and reports services on them. */
export class ReportsRail {
  readonly seen: Sighting[] = [];
  private readonly waiting = new Set<() => void>();
  private readonly running: { service: JobService; reports: OpenedReports }[] = [];

  private constructor(
    private readonly rail: IsolatedRail,
    private readonly folder: string,
    readonly storage: Storage,
  ) {}

  static async open(): Promise<ReportsRail> {
    const folder = await mkdtemp(join(tmpdir(), 'jobrail-reports-'));
    return new ReportsRail(await isolatedRail(), folder, openStorage(pathToFileURL(folder).href));
  }

  get client() {
    return this.rail.client;
  }

  /** What a process of the service has to be given. */
  get environment(): Record<string, string> {
    const { url, prefix } = this.rail;
    return { AMQP_URL: url, JOBRAIL_PREFIX: prefix, STORAGE_URL: pathToFileURL(this.folder).href };
  }

  /** Stores a query and returns the folder for REPORTS_QUERIES. */
  async query(name: string, sql: string): Promise<string> {
    await this.storage.put(`queries/${name}.sql`, sql);
    return join(this.folder, 'queries');
  }

  /** Starts a service in this process, put together as `main.ts` does it. */
  async start(
    environment: Record<string, string>,
    options: { gracePeriod?: Duration } = {},
  ): Promise<JobService> {
    const config = readConfig({ ...this.environment, ...environment });
    const reports = await openReports(config);
    const service = reportsService(config, reports, { ...options, log: pino({ level: 'silent' }) });
    service.use({
      name: 'seen by the test',
      attempt: async ({ job: { id } }, next) => {
        const outcome = await next();
        this.tell({ kind: 'outcome', id, outcome });
        return outcome;
      },
      progress: ({ job: { id } }, fraction) => this.tell({ kind: 'progress', id, fraction }),
    });
    this.running.push({ service, reports });
    await service.start();
    return service;
  }

  /** The first sighting of a kind of a job, once there is one. */
  async sighting<K extends Sighting['kind']>(kind: K, id: string): Promise<Extract<Sighting, { kind: K }>> {
    for (;;) {
      const found = this.seen.find((sighting) => sighting.kind === kind && sighting.id === id);
      if (found) return found as Extract<Sighting, { kind: K }>;
      await new Promise<void>((resolve) => this.waiting.add(resolve));
    }
  }

  /** Takes a message from a queue of this rail, named without the prefix. */
  async take(queue: string): Promise<Message | undefined> {
    const message = await this.rail.broker.get(`${this.rail.prefix}.${queue}`);
    message?.ack();
    return message;
  }

  /** Messages that wait in a queue; undefined when there is no such queue. */
  async waitingIn(queue: string): Promise<number | undefined> {
    return (await this.rail.broker.depth(`${this.rail.prefix}.${queue}`))?.messages;
  }

  async read(key: string): Promise<Buffer> {
    return buffer(await this.storage.get(key));
  }

  /** All files below the storage, unfinished ones too, by name. */
  async files(): Promise<string[]> {
    const entries = await readdir(this.folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  }

  async close(): Promise<void> {
    for (const { service, reports } of this.running) {
      await service.stop();
      await reports.close();
    }
    await this.rail.cleanup(BuildReport, SendEmail);
    await rm(this.folder, { recursive: true });
  }

  private tell(sighting: Sighting): void {
    this.seen.push(sighting);
    for (const resolve of this.waiting) resolve();
    this.waiting.clear();
  }
}
