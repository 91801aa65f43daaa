/**
 * The contracts of the media service, and nothing else: producers import only this file
 * (`@jobrail/media/jobs`), so neither sharp nor the handlers come along.
 *
 * Files pass by storage key, never in the payload.
 */
import { defineJob, defineQueue } from 'jobrail';
import { z } from 'zod';

/** In pixels. No more than WebP can have; AVIF and JPEG allow more. */
const side = z.int().min(1).max(16_383);

/** What else a key must be, the storage says when it is used. */
const storageKey = z.string().min(1).max(512);

/** Still images. Short jobs: nothing on this queue takes longer than a photograph needs. */
export const mediaQueue = defineQueue('media');

/** Video. Transcodes run for minutes; a queue of their own means they never delay a thumbnail. */
export const videoQueue = defineQueue('video');

/** One picture to make of the source image. */
export const ImageVariant = z.object({
  /** Names the output file, `${outputPrefix}/${name}.webp`, `.avif` or `.jpg`. One path segment. */
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'letters, digits, - and _, up to 64, no path separator'),
  /** Pixels. With neither width nor height the picture keeps its size. */
  width: side.optional(),
  /** Pixels. Given alone, width follows by proportion. */
  height: side.optional(),
  /**
   * What to do when width and height don't match the picture's proportions. `cover` (default) fills the box and
   * crops; `contain` fits inside and pads (transparent, or white for JPEG); `inside` fits without padding.
   * A picture is never enlarged for `inside`; `cover` and `contain` always give the box that was asked for.
   */
  fit: z.enum(['cover', 'contain', 'inside']).optional(),
  format: z.enum(['webp', 'avif', 'jpeg']),
  /** 1–100. Default: webp 80, avif 50, jpeg 80, which look about alike. */
  quality: z.int().min(1).max(100).optional(),
});
export type ImageVariant = z.output<typeof ImageVariant>;

/** Makes several sizes and formats of one image. Writes `${outputPrefix}/${variantFile(variant)}`, each atomically. */
export const ResizeImage = defineJob('media.resize', {
  queue: mediaQueue,
  payload: z.object({
    /** Storage key of the source image. */
    key: storageKey,
    variants: z
      .array(ImageVariant)
      .min(1)
      .max(32)
      .refine((variants) => new Set(variants.map(variantFile)).size === variants.length, {
        message: 'two variants would write the same file: give each name and format once',
      }),
    outputPrefix: storageKey,
  }),
});

/** Takes one frame of a video as a picture. The format follows the ending of `outputKey`: .jpg/.jpeg, .png or .webp. */
export const VideoPoster = defineJob('media.video-poster', {
  queue: videoQueue,
  payload: z.object({
    key: storageKey,
    /** Seconds from the start. Default: a tenth of the duration, at most 3 s, which is past most black openings. */
    at: z.number().min(0).optional(),
    /** Pixels; height follows by proportion. Default: the video's own width. */
    width: side.optional(),
    outputKey: storageKey.regex(/\.(jpe?g|png|webp)$/i, 'must end in .jpg, .jpeg, .png or .webp'),
  }),
});

/** Re-encodes a video for the web: H.264 + AAC in mp4, VP9 + Opus in webm. */
export const Transcode = defineJob('media.transcode', {
  queue: videoQueue,
  payload: z.object({
    key: storageKey,
    format: z.enum(['mp4', 'webm']),
    /** Pixels, even (the codecs' chroma subsampling needs it); width follows by proportion. Default: as the source. */
    height: z.int().min(16).max(4_320).multipleOf(2).optional(),
    outputKey: storageKey,
  }),
});

/** The file name of a variant within `outputPrefix`. */
export function variantFile(variant: Pick<ImageVariant, 'name' | 'format'>): string {
  return `${variant.name}.${variant.format === 'jpeg' ? 'jpg' : variant.format}`;
}
