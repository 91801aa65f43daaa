import { type HandlerClass, JobService, type JobServiceOptions, type QueueOptions } from 'jobrail';
import type { HandlerName, MediaConfig } from './config.js';
import { configureLibvips } from './image/libvips.js';
import { mediaQueue, videoQueue } from './jobs.js';
import { mediaModule } from './media-module.js';
import { ResizeImageHandler } from './resize-image.js';
import { TranscodeHandler } from './transcode.js';
import { VideoPosterHandler } from './video-poster.js';
import { Ffmpeg } from './video/ffmpeg.js';
import { posterEncoders } from './video/take-poster.js';
import { transcodeEncoders } from './video/transcode-video.js';

/** What each handler is, where its jobs wait, and which encoders of ffmpeg it needs; with none it needs no ffmpeg. */
const available: Record<HandlerName, { handler: HandlerClass; queue: string; encoders: readonly string[] }> =
  {
    resize: { handler: ResizeImageHandler, queue: mediaQueue.name, encoders: [] },
    'video-poster': { handler: VideoPosterHandler, queue: videoQueue.name, encoders: posterEncoders },
    transcode: { handler: TranscodeHandler, queue: videoQueue.name, encoders: transcodeEncoders },
  };

/**
 * Puts the service together from the handlers that are switched on, and sets libvips up for this process.
 * @param overrides further options of the service, such as a log.
 * @throws MediaError (`MEDIA_FFMPEG_UNUSABLE`) when a handler needs an ffmpeg that is not there; StorageError
 * (`STORAGE_URL_INVALID`).
 */
export async function mediaService(
  config: MediaConfig,
  overrides: Partial<JobServiceOptions> = {},
): Promise<JobService> {
  const enabled = [...config.handlers].map((name) => available[name]);
  const encoders = enabled.flatMap((handler) => handler.encoders);
  const ffmpeg = new Ffmpeg(config.ffmpeg);
  if (encoders.length > 0) await ffmpeg.check({ encoders });
  configureLibvips({ concurrency: config.imageConcurrency });
  const options = queueOptions(config);
  return new JobService({
    name: 'media',
    url: config.amqpUrl,
    prefix: config.prefix,
    handlers: enabled.map(({ handler }) => handler),
    modules: [mediaModule(config, ffmpeg)],
    queues: Object.fromEntries(enabled.map(({ queue }) => [queue, options[queue] ?? {}])),
    health: config.healthPort === undefined ? undefined : { port: config.healthPort },
    ...overrides,
  });
}

function queueOptions({ imageConcurrency, videoConcurrency }: MediaConfig): Record<string, QueueOptions> {
  return {
    [mediaQueue.name]: { concurrency: imageConcurrency },
    // Nothing is held in advance: a transcode that waits in this process could be running in another, and the broker
    // counts its waiting as being worked on.
    [videoQueue.name]: { concurrency: videoConcurrency, prefetch: videoConcurrency },
  };
}
