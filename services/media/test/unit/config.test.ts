import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { ConfigError } from 'jobrail';
import { readConfig } from '../../src/config.js';

const least = { AMQP_URL: 'amqp://127.0.0.1:5672', STORAGE_URL: 'file:///tmp/files' };

describe('the configuration', () => {
  it('needs a broker and a storage, and has defaults for the rest', () => {
    const { imageConcurrency, ...rest } = readConfig({ ...least, MEDIA_HANDLERS: ' ' });
    expect(rest).to.deep.equal({
      amqpUrl: least.AMQP_URL,
      prefix: 'jobrail',
      storageUrl: least.STORAGE_URL,
      handlers: new Set(['resize']),
      limits: { maxPixels: 100_000_000, maxImageBytes: 52_428_800, maxVideoBytes: 4_294_967_296 },
      videoConcurrency: 1,
      ffmpeg: { ffmpeg: 'ffmpeg', ffprobe: 'ffprobe' },
      healthPort: undefined,
    });
    expect(imageConcurrency).to.be.within(1, 3);
  });

  it('takes what the environment gives', () => {
    const config = readConfig({
      ...least,
      JOBRAIL_PREFIX: 'shop',
      MEDIA_HANDLERS: 'transcode, resize',
      MEDIA_MAX_PIXELS: '1000',
      MEDIA_MAX_IMAGE_BYTES: '2000',
      MEDIA_MAX_VIDEO_BYTES: '3000',
      MEDIA_CONCURRENCY: '8',
      MEDIA_VIDEO_CONCURRENCY: '2',
      FFMPEG_PATH: '/opt/ffmpeg',
      FFPROBE_PATH: '/opt/ffprobe',
      HEALTH_PORT: '8082',
    });
    expect(config).to.deep.include({
      prefix: 'shop',
      handlers: new Set(['transcode', 'resize']),
      limits: { maxPixels: 1000, maxImageBytes: 2000, maxVideoBytes: 3000 },
      imageConcurrency: 8,
      videoConcurrency: 2,
      ffmpeg: { ffmpeg: '/opt/ffmpeg', ffprobe: '/opt/ffprobe' },
      healthPort: 8082,
    });
  });

  const faults: [name: string, value: string | undefined, message: string][] = [
    ['AMQP_URL', undefined, 'AMQP_URL is not set. Set it to a URL such as "amqp://'],
    ['AMQP_URL', 'http://user:secret@host', 'AMQP_URL is no AMQP URL.'],
    ['STORAGE_URL', '', 'STORAGE_URL is not set.'],
    [
      'MEDIA_HANDLERS',
      'resize,rezise',
      'MEDIA_HANDLERS names the unknown handler "rezise". Set it to one or more of resize',
    ],
    ['MEDIA_HANDLERS', ',', 'MEDIA_HANDLERS names no handler.'],
    ['MEDIA_MAX_PIXELS', '1e8', 'MEDIA_MAX_PIXELS is "1e8". Set it to a whole number from 1 to 1000000000.'],
    ['MEDIA_CONCURRENCY', '0', 'MEDIA_CONCURRENCY is "0".'],
    ['HEALTH_PORT', '70000', 'HEALTH_PORT is "70000".'],
  ];
  for (const [name, value, message] of faults) {
    it(`refuses ${name} ${value === undefined ? 'left out' : JSON.stringify(value)}`, () => {
      const read = (): unknown => readConfig({ ...least, [name]: value });
      expect(read)
        .to.throw(ConfigError, message)
        .and.not.match(/secret/);
    });
  }

  it('is documented, each variable of it', async () => {
    const source = await readFile(new URL('../../../src/config.ts', import.meta.url), 'utf8');
    const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
    const names = new Set([...source.matchAll(/env, '([A-Z_]+)'/g)].map(([, name]) => name));
    expect(names.size).to.be.above(8);
    for (const name of names) expect(readme).to.include(`| \`${name}\``);
  });
});
