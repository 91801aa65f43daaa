import { Storage } from '@jobrail/storage';
import { inject } from 'inversify';
import { exponential, type Handler, Job, type JobContext, type PayloadOf } from 'jobrail';
import { fatalWhenPermanent } from './fatal-when-permanent.js';
import { openImage } from './image/image.js';
import { readImage } from './image/read-image.js';
import { renderVariants } from './image/render-variants.js';
import { ResizeImage, variantFile } from './jobs.js';
import { type MediaLimits, mediaLimits } from './media-limits.js';

/**
 * Renders the variants of an image and stores each as soon as it is made. A second run writes the same files again, so
 * an attempt that was cut off half-way needs no cleaning up.
 */
@Job(ResizeImage, { retry: exponential({ attempts: 8, from: '1s', to: '5m' }), timeout: '2m' })
export class ResizeImageHandler implements Handler<typeof ResizeImage> {
  constructor(
    @inject(Storage) private readonly storage: Storage,
    @inject(mediaLimits) private readonly limits: MediaLimits,
  ) {}

  handle(payload: PayloadOf<typeof ResizeImage>, job: JobContext): Promise<void> {
    return fatalWhenPermanent(() => this.#resize(payload, job));
  }

  async #resize(
    { key, variants, outputPrefix }: PayloadOf<typeof ResizeImage>,
    job: JobContext,
  ): Promise<void> {
    const { maxImageBytes: maxBytes, maxPixels } = this.limits;
    const { signal } = job;
    const bytes = await readImage(this.storage, key, { maxBytes, signal });
    const image = await openImage(bytes, { maxPixels });
    let stored = 0;
    for await (const { variant, bytes, size } of renderVariants(image, variants, { maxPixels, signal })) {
      const output = `${outputPrefix}/${variantFile(variant)}`;
      await this.storage.put(output, bytes, { contentType: `image/${variant.format}` });
      stored += 1;
      job.progress(stored / variants.length, variant.name);
      job.log.debug({ output, ...size, bytes: bytes.length }, 'variant stored');
    }
    job.log.info({ key, source: image.size, variants: stored }, 'image resized');
  }
}
