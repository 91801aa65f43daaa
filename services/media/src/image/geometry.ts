import type { ImageVariant } from '../jobs.js';

/** In pixels, as seen upright. */
export interface Size {
  width: number;
  height: number;
}

/**
 * How large the source appears in a variant: 1 is its own size. Only `cover` and `contain` with both sides given may
 * enlarge, because there the caller asked for a box of exactly that size.
 */
export function scaleOf(variant: ImageVariant, source: Size): number {
  const { width, height, fit = 'cover' } = variant;
  const byWidth = width === undefined ? undefined : width / source.width;
  const byHeight = height === undefined ? undefined : height / source.height;
  if (byWidth === undefined || byHeight === undefined) return Math.min(1, byWidth ?? byHeight ?? 1);
  if (fit === 'cover') return Math.max(byWidth, byHeight);
  const inside = Math.min(byWidth, byHeight);
  return fit === 'inside' ? Math.min(1, inside) : inside;
}

/** Whether a variant is a box of given size, filled by cropping or padding, rather than the picture in its own proportion. */
export function isBox({ width, height, fit }: ImageVariant): boolean {
  return width !== undefined && height !== undefined && fit !== 'inside';
}

/** The size that a variant will have. It depends on the source alone, never on the other variants of the job. */
export function sizeOf(variant: ImageVariant, source: Size): Size {
  if (isBox(variant)) return { width: variant.width ?? 1, height: variant.height ?? 1 };
  return scaled(source, scaleOf(variant, source));
}

/**
 * The size at which the source is decoded once for all variants: as large as the largest of them needs it, and never
 * larger than it is. A thumbnail job of a 100-megapixel photograph thus holds a few megabytes, not 300.
 */
export function masterSize(variants: readonly ImageVariant[], source: Size): Size {
  return scaled(source, Math.min(1, Math.max(...variants.map((variant) => scaleOf(variant, source)))));
}

function scaled({ width, height }: Size, scale: number): Size {
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}
