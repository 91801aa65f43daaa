import { readFile } from 'node:fs/promises';
import { Storage } from '@jobrail/storage';
import { inject } from 'inversify';
import { exponential, type Handler, Job, type JobContext, type PayloadOf } from 'jobrail';
import { fatalWhenPermanent } from './fatal-when-permanent.js';
import { VideoPoster } from './jobs.js';
import { type MediaLimits, mediaLimits } from './media-limits.js';
import { untilAborted } from './until-aborted.js';
import { encodePoster } from './video/encode-poster.js';
import { Ffmpeg } from './video/ffmpeg.js';
import { takePoster } from './video/take-poster.js';
import { withVideoFile } from './video/with-video-file.js';

/** Takes one frame of a video and stores it as a picture. */
@Job(VideoPoster, { retry: exponential({ attempts: 8, from: '1s', to: '5m' }), timeout: '2m' })
export class VideoPosterHandler implements Handler<typeof VideoPoster> {
  constructor(
    @inject(Storage) private readonly storage: Storage,
    @inject(Ffmpeg) private readonly ffmpeg: Ffmpeg,
    @inject(mediaLimits) private readonly limits: MediaLimits,
  ) {}

  handle(payload: PayloadOf<typeof VideoPoster>, job: JobContext): Promise<void> {
    return fatalWhenPermanent(() => this.#poster(payload, job));
  }

  async #poster(
    { key, at, width, outputKey }: PayloadOf<typeof VideoPoster>,
    job: JobContext,
  ): Promise<void> {
    const { maxVideoBytes: maxBytes, maxPixels } = this.limits;
    const { signal } = job;
    const frame = await withVideoFile(this.storage, { key, maxBytes }, async ({ source, file }) => {
      const target = file('frame');
      await takePoster(this.ffmpeg, { source, target }, { at, maxPixels, signal });
      return readFile(target);
    });
    job.progress(0.5, 'frame taken');
    const { bytes, contentType } = await untilAborted(signal, encodePoster(frame, { outputKey, width }));
    await this.storage.put(outputKey, bytes, { contentType });
    job.progress(1);
    job.log.info({ key, output: outputKey, bytes: bytes.length }, 'poster stored');
  }
}
