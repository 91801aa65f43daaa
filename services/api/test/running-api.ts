import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { SendEmail } from '@jobrail/email/jobs';
import { ResizeImage } from '@jobrail/media/jobs';
import { BuildReport } from '@jobrail/reports/jobs';
import { DiskStorage, type StoredFile } from '@jobrail/storage';
import amqplib, { type ChannelModel, type GetMessage } from 'amqplib';
import { JobClient } from 'jobrail';
import { isolatedRail } from 'jobrail/testing';
import { pino } from 'pino';
import { createApp } from '../src/app.js';
import { HttpServer } from '../src/http-server.js';
import { LogLines } from './log-lines.js';

/** A storage on disk whose running puts can be waited for. */
class AwaitableStorage extends DiskStorage {
  readonly #puts = new Set<Promise<StoredFile>>();

  override put(key: string, source: Readable | Buffer | string): Promise<StoredFile> {
    const put = super.put(key, source);
    this.#puts.add(put);
    return put;
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#puts);
  }
}

/** The API on a port of its own, with a corner of the broker and a folder of its own. */
export interface RunningApi {
  url: string;
  prefix: string;
  log: LogLines;
  /** Keys of all stored files, once no upload is running. */
  storedKeys(): Promise<string[]>;
  read(key: string): Promise<Readable>;
  /** Takes a message from a queue, as any AMQP program would; false when it is empty. */
  take(queue: string): Promise<GetMessage | false>;
  stop(): Promise<void>;
}

export interface RunOptions {
  uploadLimitBytes?: number;
  /** Default AMQP_URL. The queue is looked at there in any case. */
  clientUrl?: string;
  /** URL of a monitor. */
  monitor?: string;
}

export async function runApi({
  uploadLimitBytes = 100_000,
  clientUrl,
  monitor,
}: RunOptions = {}): Promise<RunningApi> {
  const rail = await isolatedRail();
  const folder = await mkdtemp(join(tmpdir(), 'api-'));
  const storage = new AwaitableStorage(folder);
  const log = new LogLines();
  const timeout = clientUrl === undefined ? '10s' : '500ms';
  const client = new JobClient({
    url: clientUrl ?? rail.url,
    prefix: rail.prefix,
    name: 'api',
    connectTimeout: timeout,
    publishTimeout: timeout,
    ...(monitor !== undefined && { monitor }),
  });
  if (clientUrl === undefined) await client.connect();
  const config = { uploadLimitBytes, loginUrl: 'https://app.example/login' };
  const server = new HttpServer(createApp({ client, storage, config, log: pino(log) }));
  const port = await server.listen(0, '127.0.0.1');
  let bare: ChannelModel | undefined;

  return {
    url: `http://127.0.0.1:${port}`,
    prefix: rail.prefix,
    log,
    async storedKeys() {
      await storage.settled();
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
        .sort();
    },
    read: (key) => storage.get(key),
    async take(queue) {
      bare ??= await amqplib.connect(rail.url);
      const channel = await bare.createChannel();
      try {
        return await channel.get(`${rail.prefix}.${queue}`, { noAck: true });
      } finally {
        await channel.close();
      }
    },
    async stop() {
      await server.stop(1_000);
      await client.close();
      await bare?.close();
      await rail.cleanup(SendEmail, ResizeImage, BuildReport);
      await rm(folder, { recursive: true });
    },
  };
}
