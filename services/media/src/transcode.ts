import { Storage } from '@jobrail/storage';
import { inject } from 'inversify';
import { exponential, type Handler, Job, type JobContext, type PayloadOf } from 'jobrail';
import { fatalWhenPermanent } from './fatal-when-permanent.js';
import { Transcode } from './jobs.js';
import { type MediaLimits, mediaLimits } from './media-limits.js';
import { Ffmpeg } from './video/ffmpeg.js';
import { transcodeVideo } from './video/transcode-video.js';
import { withVideoFile } from './video/with-video-file.js';

/** What storing the result is reckoned at: the last hundredth. */
const encodingShare = 0.99;

/**
 * Re-encodes a video and stores the result once it is complete.
 *
 * The timeout stays below the half hour after which a broker takes an unsettled job for lost, by default.
 */
@Job(Transcode, { retry: exponential({ attempts: 4, from: '30s', to: '10m' }), timeout: '25m' })
export class TranscodeHandler implements Handler<typeof Transcode> {
  constructor(
    @inject(Storage) private readonly storage: Storage,
    @inject(Ffmpeg) private readonly ffmpeg: Ffmpeg,
    @inject(mediaLimits) private readonly limits: MediaLimits,
  ) {}

  handle(payload: PayloadOf<typeof Transcode>, job: JobContext): Promise<void> {
    return fatalWhenPermanent(() => this.#transcode(payload, job));
  }

  async #transcode(
    { key, format, height, outputKey }: PayloadOf<typeof Transcode>,
    job: JobContext,
  ): Promise<void> {
    const { maxVideoBytes: maxBytes, maxPixels } = this.limits;
    const onProgress = (fraction: number | undefined, seconds: number): void =>
      job.progress((fraction ?? 0) * encodingShare, `${seconds.toFixed(1)} s encoded`);
    await withVideoFile(this.storage, { key, maxBytes }, async ({ source, file }) => {
      const target = file('transcoded');
      const options = { format, height, maxPixels, signal: job.signal, onProgress };
      await transcodeVideo(this.ffmpeg, { source, target }, options);
      const { bytes } = await this.storage.fromFile(outputKey, target, { contentType: `video/${format}` });
      job.progress(1);
      job.log.info({ key, output: outputKey, bytes }, 'video stored');
    });
  }
}
