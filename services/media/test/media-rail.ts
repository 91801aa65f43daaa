import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { openStorage, type Storage } from '@jobrail/storage';
import { type Duration, type JobService, type MessageHeaders, type Outcome } from 'jobrail';
import { type IsolatedRail, isolatedRail } from 'jobrail/testing';
import { pino } from 'pino';
import { readConfig } from '../src/config.js';
import { ResizeImage, Transcode, VideoPoster } from '../src/jobs.js';
import { mediaService } from '../src/media-service.js';

/** What happened, in order. */
export type Sighting =
  | { kind: 'progress'; id: string; fraction: number }
  | { kind: 'outcome'; id: string; attempt: number; outcome: Outcome }
  | { kind: 'dead letter'; id: string; headers: MessageHeaders };

/** A corner of a real RabbitMQ, a storage folder, and media services on them, whose doings are recorded. */
export class MediaRail {
  readonly seen: Sighting[] = [];
  private readonly waiting = new Set<() => void>();
  private readonly services: JobService[] = [];

  private constructor(
    private readonly rail: IsolatedRail,
    readonly folder: string,
    readonly storage: Storage,
  ) {}

  static async open(): Promise<MediaRail> {
    const folder = await mkdtemp(join(tmpdir(), 'media-test-'));
    return new MediaRail(await isolatedRail(), folder, openStorage(pathToFileURL(folder).href));
  }

  get client() {
    return this.rail.client;
  }

  /** What a process of the service has to be given. */
  get environment(): Record<string, string> {
    const { url, prefix } = this.rail;
    return { AMQP_URL: url, JOBRAIL_PREFIX: prefix, STORAGE_URL: pathToFileURL(this.folder).href };
  }

  /** Starts a service in this process. */
  async start(
    environment: Record<string, string> = {},
    { gracePeriod = '5s' }: { gracePeriod?: Duration } = {},
  ): Promise<JobService> {
    const config = readConfig({ ...this.environment, ...environment });
    const service = await mediaService(config, { gracePeriod, log: pino({ level: 'silent' }) });
    service.use({
      name: 'seen by the test',
      attempt: async ({ job: { id, attempt } }, next) => {
        const outcome = await next();
        this.tell({ kind: 'outcome', id, attempt, outcome });
        return outcome;
      },
      progress: ({ job: { id } }, fraction) => this.tell({ kind: 'progress', id, fraction }),
    });
    this.services.push(service);
    await service.start();
    return service;
  }

  /** The first sighting of a kind of a job, once there is one. */
  async sighting<K extends Sighting['kind']>(kind: K, id: string): Promise<Extract<Sighting, { kind: K }>> {
    const [first] = await this.sightings(kind, id, 1);
    return first!;
  }

  /** The sightings of a kind of a job, once there are that many. */
  async sightings<K extends Sighting['kind']>(
    kind: K,
    id: string,
    count: number,
  ): Promise<Extract<Sighting, { kind: K }>[]> {
    for (;;) {
      const found = this.seen.filter((sighting) => sighting.kind === kind && sighting.id === id);
      if (found.length >= count) return found as Extract<Sighting, { kind: K }>[];
      await new Promise<void>((resolve) => this.waiting.add(resolve));
    }
  }

  /** The dead letter of a job, once it is there. */
  async deadLetter(id: string, queue: 'media' | 'video'): Promise<MessageHeaders> {
    const subscription = await this.rail.broker.consume({
      queues: [{ name: `${this.rail.prefix}.${queue}.dead`, prefetch: 100 }],
      onDelivery: ({ properties: { messageId, headers } }) =>
        this.tell({ kind: 'dead letter', id: messageId ?? '', headers }),
    });
    const { headers } = await this.sighting('dead letter', id);
    await subscription.close();
    return headers;
  }

  /** A stored file. */
  async read(key: string): Promise<Buffer> {
    return buffer(await this.storage.get(key));
  }

  async close(): Promise<void> {
    await Promise.all(this.services.map((service) => service.stop()));
    await this.rail.cleanup(ResizeImage, VideoPoster, Transcode);
    await rm(this.folder, { recursive: true });
  }

  private tell(sighting: Sighting): void {
    this.seen.push(sighting);
    for (const resolve of this.waiting) resolve();
    this.waiting.clear();
  }
}
