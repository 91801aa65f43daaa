import 'reflect-metadata';
import { type HandlerClass, JobService, type QueueOptions } from 'jobrail';
import { startTelemetry } from 'jobrail/telemetry';
import { type HandlerName, readConfig } from './config.js';
import { configureLibvips } from './image/libvips.js';
import { mediaQueue, videoQueue } from './jobs.js';
import { mediaModule } from './media-module.js';
import { ResizeImageHandler } from './resize-image.js';
import { TranscodeHandler } from './transcode.js';
import { VideoPosterHandler } from './video-poster.js';
import { Ffmpeg } from './video/ffmpeg.js';
import { posterEncoders } from './video/take-poster.js';
import { transcodeEncoders } from './video/transcode-video.js';

/** What each handler is, where its jobs wait, and what it needs of ffmpeg (nothing, when it has no encoders). */
const available: Record<HandlerName, { handler: HandlerClass; queue: string; encoders: readonly string[] }> =
  {
    resize: { handler: ResizeImageHandler, queue: mediaQueue.name, encoders: [] },
    'video-poster': { handler: VideoPosterHandler, queue: videoQueue.name, encoders: posterEncoders },
    transcode: { handler: TranscodeHandler, queue: videoQueue.name, encoders: transcodeEncoders },
  };

const config = readConfig(process.env);
const enabled = [...config.handlers].map((name) => available[name]);
const ffmpeg = new Ffmpeg(config.ffmpeg);
const encoders = enabled.flatMap((handler) => handler.encoders);
if (encoders.length > 0) await ffmpeg.check({ encoders });
configureLibvips({ concurrency: config.imageConcurrency });

const telemetry = startTelemetry({ service: 'media' });
/** How much of each queue is taken on at a time. */
const queueOptions: Record<string, QueueOptions> = {
  [mediaQueue.name]: { concurrency: config.imageConcurrency },
  // Nothing is held in advance: a transcode waiting here could be running in another process, and its broker counts
  // the time it waits as time it is worked on.
  [videoQueue.name]: { concurrency: config.videoConcurrency, prefetch: config.videoConcurrency },
};
const hosted = new Set(enabled.map(({ queue }) => queue));

const service = new JobService({
  name: 'media',
  url: config.amqpUrl,
  prefix: config.prefix,
  handlers: enabled.map(({ handler }) => handler),
  modules: [mediaModule(config, ffmpeg)],
  queues: Object.fromEntries(Object.entries(queueOptions).filter(([name]) => hosted.has(name))),
  health: config.healthPort === undefined ? undefined : { port: config.healthPort },
});

try {
  await service.run();
} finally {
  await telemetry.shutdown();
}
