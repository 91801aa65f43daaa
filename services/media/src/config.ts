import { availableParallelism } from 'node:os';
import { ConfigError } from 'jobrail';
import type { MediaLimits } from './media-limits.js';
import type { FfmpegPrograms } from './video/ffmpeg.js';

/** The handlers that can be switched on, as MEDIA_HANDLERS names them. */
export const handlerNames = ['resize', 'video-poster', 'transcode'] as const;
export type HandlerName = (typeof handlerNames)[number];

/** What the service runs with. */
export interface MediaConfig {
  amqpUrl: string;
  /** Of every exchange and queue of this deployment. */
  prefix: string;
  storageUrl: string;
  handlers: ReadonlySet<HandlerName>;
  limits: MediaLimits;
  /** Jobs at a time on the queue `media`. */
  imageConcurrency: number;
  /** Jobs at a time on the queue `video`. */
  videoConcurrency: number;
  ffmpeg: FfmpegPrograms;
  /** Of the health check; none when absent. */
  healthPort: number | undefined;
}

/** libvips works on the threads of libuv's pool, four by default, and reading and writing files needs one of them. */
const mostImagesAtATime = 3;

/**
 * Reads the configuration from environment variables; the README lists them. A variable that is set but blank counts
 * as not set.
 * @throws ConfigError (`JR_CONFIG_INVALID`) naming the variable and what it takes, but never showing a password.
 */
export function readConfig(env: NodeJS.ProcessEnv): MediaConfig {
  return {
    amqpUrl: amqpUrl(env),
    prefix: text(env, 'JOBRAIL_PREFIX') ?? 'jobrail',
    storageUrl: required(env, 'STORAGE_URL', 'a storage URL such as "file:///var/lib/jobrail/files"'),
    handlers: handlers(env),
    limits: {
      maxPixels: wholeNumber(env, 'MEDIA_MAX_PIXELS', { min: 1, max: 1_000_000_000 }) ?? 100_000_000,
      maxImageBytes: wholeNumber(env, 'MEDIA_MAX_IMAGE_BYTES', { min: 1, max: 2 ** 30 }) ?? 50 * 2 ** 20,
      maxVideoBytes: wholeNumber(env, 'MEDIA_MAX_VIDEO_BYTES', { min: 1, max: 2 ** 40 }) ?? 4 * 2 ** 30,
    },
    imageConcurrency:
      wholeNumber(env, 'MEDIA_CONCURRENCY', { min: 1, max: 64 }) ??
      Math.min(availableParallelism(), mostImagesAtATime),
    videoConcurrency: wholeNumber(env, 'MEDIA_VIDEO_CONCURRENCY', { min: 1, max: 64 }) ?? 1,
    ffmpeg: { ffmpeg: text(env, 'FFMPEG_PATH') ?? 'ffmpeg', ffprobe: text(env, 'FFPROBE_PATH') ?? 'ffprobe' },
    healthPort: wholeNumber(env, 'HEALTH_PORT', { min: 0, max: 65_535 }),
  };
}

function handlers(env: NodeJS.ProcessEnv): Set<HandlerName> {
  const value = text(env, 'MEDIA_HANDLERS') ?? 'resize';
  const names = value
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const unknown = names.find((name) => !(handlerNames as readonly string[]).includes(name));
  if (unknown !== undefined || names.length === 0) {
    const seen =
      unknown === undefined ? 'names no handler' : `names the unknown handler ${JSON.stringify(unknown)}`;
    throw invalid('MEDIA_HANDLERS', seen, `one or more of ${handlerNames.join(', ')}, separated by commas`);
  }
  return new Set(names as HandlerName[]);
}

function amqpUrl(env: NodeJS.ProcessEnv): string {
  const expected = 'a URL such as "amqp://user:password@host:5672"';
  const value = required(env, 'AMQP_URL', expected);
  const parsed = URL.canParse(value) ? new URL(value) : undefined;
  if (parsed === undefined || !/^amqps?:$/.test(parsed.protocol) || parsed.hostname === '') {
    throw invalid('AMQP_URL', 'is no AMQP URL', expected);
  }
  return value;
}

function wholeNumber(
  env: NodeJS.ProcessEnv,
  name: string,
  { min, max }: { min: number; max: number },
): number | undefined {
  const value = text(env, name);
  if (value === undefined) return undefined;
  const number = /^\d+$/.test(value) ? Number(value) : NaN;
  if (number >= min && number <= max) return number;
  throw invalid(name, `is ${JSON.stringify(value)}`, `a whole number from ${min} to ${max}`);
}

function required(env: NodeJS.ProcessEnv, name: string, expected: string): string {
  const value = text(env, name);
  if (value === undefined) throw invalid(name, 'is not set', expected);
  return value;
}

function text(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === '' ? undefined : value;
}

function invalid(name: string, seen: string, expected: string): ConfigError {
  return new ConfigError('JR_CONFIG_INVALID', `Environment variable ${name} ${seen}.`, {
    mend: `Set it to ${expected}.`,
  });
}
