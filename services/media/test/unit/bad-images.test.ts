import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiskStorage, type Storage } from '@jobrail/storage';
import { expect } from 'chai';
import sharp from 'sharp';
import { openImage } from '../../src/image/image.js';
import { configureLibvips } from '../../src/image/libvips.js';
import { readImage } from '../../src/image/read-image.js';
import { renderVariants } from '../../src/image/render-variants.js';
import type { ImageVariant } from '../../src/jobs.js';
import { collect } from '../collect.js';
import { decompressionBomb } from '../decompression-bomb.js';
import { failureOf } from '../failure-of.js';
import { heic } from '../heic.js';
import { photograph } from '../photographs.js';

const maxPixels = 100_000_000;
const { signal } = new AbortController();
const thumbnail: ImageVariant = { name: 'thumbnail', width: 100, format: 'webp' };

async function render(bytes: Buffer, ...variants: ImageVariant[]): Promise<unknown> {
  const image = await openImage(bytes, { maxPixels });
  return collect(renderVariants(image, variants, { maxPixels, signal }));
}

describe('an image that cannot be used', () => {
  let photo: Buffer;
  before(async () => {
    configureLibvips({ concurrency: 2 });
    photo = await photograph('Landscape', 1);
  });

  it('is refused when it is text, whatever it is called, saying what was seen and expected', async () => {
    const error = await failureOf(render(Buffer.from('Dear Sir, this is no picture.'), thumbnail));
    expect(error).to.include({ code: 'MEDIA_NOT_AN_IMAGE', permanent: true });
    expect(error.message).to.include(
      'The source is text that starts with "Dear Sir, this is no picture."; expected JPEG, PNG, WebP, AVIF, GIF or TIFF.',
    );
  });

  it('is refused when it is empty', async () => {
    const error = await failureOf(render(Buffer.alloc(0), thumbnail));
    expect(error).to.include({ code: 'MEDIA_NOT_AN_IMAGE', permanent: true });
    expect(error.message).to.include('an empty file');
  });

  it('is refused when it is a drawing, which could have references in it', async () => {
    const svg =
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="/etc/hostname"/></svg>';
    const error = await failureOf(render(Buffer.from(svg), thumbnail));
    expect(error).to.include({ code: 'MEDIA_NOT_AN_IMAGE', permanent: true });
    expect(error.message).to.include('an SVG drawing');
  });

  it('is refused when it is HEIC, which there is no decoder for, by that name', async () => {
    const error = await failureOf(render(heic, thumbnail));
    expect(error).to.include({ code: 'MEDIA_NOT_AN_IMAGE', permanent: true });
    expect(error.message).to.include('The source is a HEIC image; expected JPEG, PNG');
  });

  it('is refused when a few bytes claim 2.5 gigapixels, without their being allocated', async () => {
    const bomb = decompressionBomb(50_000, 50_000);
    expect(bomb.length).to.be.below(100);
    const before = process.memoryUsage().rss;
    const error = await failureOf(render(bomb, thumbnail));
    expect(error).to.include({ code: 'MEDIA_TOO_MANY_PIXELS', permanent: true });
    expect(error.message).to.include('The image has 50000×50000 pixels; at most 100000000 are decoded.');
    expect(process.memoryUsage().rss - before).to.be.below(100 * 2 ** 20);
  });

  it('is refused when it is cut off, alone and through a master, rather than published half grey', async () => {
    for (const variants of [[thumbnail], [thumbnail, { ...thumbnail, name: 'other' }]]) {
      const error = await failureOf(render(photo.subarray(0, photo.length / 2), ...variants));
      expect(error).to.include({ code: 'MEDIA_IMAGE_DAMAGED', permanent: true });
      expect(error.message).to.match(/1800×1200 pixels cannot be decoded: .*premature end of JPEG image/);
    }
  });

  it('is refused when its header is cut off', async () => {
    const error = await failureOf(render(photo.subarray(0, 150), thumbnail));
    expect(error).to.include({ code: 'MEDIA_IMAGE_DAMAGED', permanent: true });
    expect(error.message).to.include('The source is a JPEG image whose header cannot be read');
  });

  it('is refused when a PNG has a flipped bit in its pixels', async () => {
    const png = await sharp(photo).resize(200).png().toBuffer();
    png[Math.floor(png.length / 2)]! ^= 0x10;
    const error = await failureOf(render(png, thumbnail));
    expect(error).to.include({ code: 'MEDIA_IMAGE_DAMAGED', permanent: true });
  });
});

describe('reading a source image', () => {
  let folder: string;
  let storage: Storage;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'media-test-'));
    storage = new DiskStorage(folder);
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('takes a file of exactly the limit and refuses one byte more', async () => {
    await storage.put('a.bin', Buffer.alloc(200_000, 'a'));
    expect(await readImage(storage, 'a.bin', { maxBytes: 200_000, signal })).to.have.length(200_000);
    const error = await failureOf(readImage(storage, 'a.bin', { maxBytes: 199_999, signal }));
    expect(error).to.include({ code: 'MEDIA_INPUT_TOO_LARGE', permanent: true });
    expect(error.message).to.include('"a.bin" is larger than 195.3 KiB.');
  });

  it('says permanently that a key is missing', async () => {
    const error = await failureOf(readImage(storage, 'none.jpg', { maxBytes: 1, signal }));
    expect(error).to.include({ code: 'STORAGE_NOT_FOUND', permanent: true });
  });

  it('stops when the signal aborts', async () => {
    await storage.put('a.bin', Buffer.alloc(200_000));
    const reason = new Error('time is over');
    const read = readImage(storage, 'a.bin', { maxBytes: 200_000, signal: AbortSignal.abort(reason) });
    expect(await failureOf(read)).to.equal(reason);
  });
});
