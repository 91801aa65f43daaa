import 'reflect-metadata';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { openStorage, type Storage } from '@jobrail/storage';
import { expect } from 'chai';
import type { Filter } from 'jobrail';
import { createTestRail, type TestRail } from 'jobrail/testing';
import sharp from 'sharp';
import { ResizeImage } from '../../src/jobs.js';
import { mediaModule } from '../../src/media-module.js';
import { ResizeImageHandler } from '../../src/resize-image.js';
import { Ffmpeg } from '../../src/video/ffmpeg.js';
import { decompressionBomb } from '../decompression-bomb.js';
import { photograph } from '../photographs.js';

const limits = { maxPixels: 100_000_000, maxImageBytes: 10_000_000, maxVideoBytes: 10_000_000 };

describe('media.resize', () => {
  let folder: string;
  let storage: Storage;
  let rail: TestRail;
  const progress: [number, string | undefined][] = [];
  let beforeAttempt: (attempt: number) => Promise<void>;

  const watch: Filter = {
    name: 'watch',
    attempt: async ({ job }, next) => {
      await beforeAttempt(job.attempt);
      return next();
    },
    progress: (_, fraction, note) => progress.push([fraction, note]),
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'media-test-'));
    const storageUrl = pathToFileURL(folder).href;
    storage = openStorage(storageUrl);
    progress.length = 0;
    beforeAttempt = () => Promise.resolve();
    const ffmpeg = new Ffmpeg({ ffmpeg: 'ffmpeg', ffprobe: 'ffprobe' });
    rail = await createTestRail({
      handlers: [ResizeImageHandler],
      modules: [mediaModule({ storageUrl, limits }, ffmpeg)],
      filters: [watch],
    });
  });
  afterEach(async () => {
    await rail.close();
    await rm(folder, { recursive: true });
  });

  const variants = [
    { name: 'large', width: 300, format: 'webp' as const },
    { name: 'thumb', width: 64, height: 64, format: 'jpeg' as const },
  ];

  it('stores each variant under the prefix and tells its progress', async () => {
    await storage.put('uploads/a.jpg', await photograph('Portrait', 8));
    await rail.enqueue(ResizeImage, { key: 'uploads/a.jpg', variants, outputPrefix: 'users/42' });
    await rail.drain();
    expect(rail.completed).to.have.length(1);
    expect((await readdir(join(folder, 'users/42'))).sort()).to.deep.equal(['large.webp', 'thumb.jpg']);
    const large = await buffer(await storage.get('users/42/large.webp'));
    expect(await sharp(large).metadata()).to.include({ format: 'webp', width: 300, height: 450 });
    expect(progress).to.deep.equal([
      [0.5, 'large'],
      [1, 'thumb'],
    ]);
  });

  const hopeless: [string, () => Promise<Buffer | undefined>, RegExp][] = [
    ['is missing', () => Promise.resolve(undefined), /There is no file of key "uploads\/a.jpg"/],
    [
      'is text by the name of a.jpg',
      () => Promise.resolve(Buffer.from('hello')),
      /text that starts with "hello"; expected/,
    ],
    [
      'is a decompression bomb',
      () => Promise.resolve(decompressionBomb(60_000, 60_000)),
      /60000×60000 pixels; at most/,
    ],
    ['is too large', () => Promise.resolve(Buffer.alloc(10_000_001)), /larger than 9.5 MiB/],
    [
      'is cut off',
      async () => (await photograph('Landscape', 1)).subarray(0, 50_000),
      /premature end of JPEG/,
    ],
  ];
  for (const [fault, source, message] of hopeless) {
    it(`is a dead letter after one attempt when the source ${fault}, and writes nothing`, async () => {
      const bytes = await source();
      if (bytes) await storage.put('uploads/a.jpg', bytes);
      await rail.enqueue(ResizeImage, { key: 'uploads/a.jpg', variants, outputPrefix: 'users/42' });
      await rail.drain();
      expect(rail.attempts).to.have.length(1);
      const [outcome] = rail.dead.map((attempt) => attempt.outcome);
      expect(outcome).to.include({ kind: 'dead', reason: 'fatal' });
      expect(outcome?.kind === 'dead' && outcome.error.message).to.match(message);
      expect(await storage.exists('users/42/large.webp')).to.equal(false);
    });
  }

  it('is a dead letter after one attempt when the prefix leaves the storage', async () => {
    await storage.put('uploads/a.jpg', await photograph('Landscape', 1));
    await rail.enqueue(ResizeImage, { key: 'uploads/a.jpg', variants, outputPrefix: '../outside' });
    await rail.drain();
    expect(rail.attempts.map(({ outcome }) => outcome)).to.have.nested.property('[0].reason', 'fatal');
  });

  it('is retried while the storage cannot be written, and completes once it can', async () => {
    await storage.put('uploads/a.jpg', await photograph('Landscape', 1));
    // The folder that the storage writes into before it renames is a file: not even root can write there.
    await rm(join(folder, '.incoming'), { recursive: true });
    await writeFile(join(folder, '.incoming'), '');
    beforeAttempt = async (attempt) => {
      if (attempt === 4) await rm(join(folder, '.incoming'));
    };
    await rail.enqueue(ResizeImage, { key: 'uploads/a.jpg', variants, outputPrefix: 'users/42' });
    await rail.drain();
    expect(rail.attempts.map(({ outcome }) => outcome.kind)).to.deep.equal([
      'retry',
      'retry',
      'retry',
      'completed',
    ]);
    const [first] = rail.retried;
    expect(first?.outcome.kind === 'retry' && first.outcome.error).to.include({
      code: 'STORAGE_UNAVAILABLE',
    });
    expect(await storage.exists('users/42/thumb.jpg')).to.equal(true);
  });
});
