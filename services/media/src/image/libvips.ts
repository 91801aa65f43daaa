import { availableParallelism } from 'node:os';
import sharp from 'sharp';

/** The loaders that may be used, by libvips' class names; each covers bytes, files and streams of its format. */
const acceptedLoaders = [
  'VipsForeignLoadJpeg',
  'VipsForeignLoadPng',
  'VipsForeignLoadWebp',
  'VipsForeignLoadHeif',
  'VipsForeignLoadNsgif',
  'VipsForeignLoadTiff',
];

/** The formats of `acceptedLoaders`, for messages. HEIC is missing: the prebuilt libvips reads AVIF only. */
export const acceptedFormats = 'JPEG, PNG, WebP, AVIF, GIF or TIFF';

/**
 * Sets libvips up for a worker. Its settings are of the process, so this belongs into the start of the service.
 *
 * - Loaders: only those of common photographs. SVG, PDF and the like are languages rather than pictures, and the
 *   place where most of the holes were.
 * - Cache: off. It keeps decoded operations for the next call on the same input, which a worker never makes.
 * - Threads: the jobs of the service run side by side already, so each gets its share of the cores; more would only
 *   make them fight for the same ones.
 * @param concurrency how many jobs run at a time.
 */
export function configureLibvips({ concurrency }: { concurrency: number }): void {
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: acceptedLoaders });
  sharp.cache(false);
  sharp.concurrency(Math.max(1, Math.floor(availableParallelism() / concurrency)));
}
