import sharp, { type Metadata, type Sharp } from 'sharp';
import { MediaError } from '../media-error.js';
import type { Size } from './geometry.js';
import { acceptedFormats } from './libvips.js';
import { seenContent } from './seen-content.js';

/** A source image whose header was read and found acceptable. Its pixels are not decoded yet. */
export interface SourceImage {
  bytes: Buffer;
  /** As seen upright, that is after the EXIF orientation. */
  size: Size;
}

/**
 * Reads the header of an image. Costs little, whatever the header claims: nothing is decoded.
 * @throws MediaError `MEDIA_NOT_AN_IMAGE`, `MEDIA_IMAGE_DAMAGED` (broken header), `MEDIA_TOO_MANY_PIXELS`.
 */
export async function openImage(bytes: Buffer, { maxPixels }: { maxPixels: number }): Promise<SourceImage> {
  const { width, height } = (await readHeader(bytes)).autoOrient;
  if (width * height > maxPixels) {
    throw new MediaError(
      'MEDIA_TOO_MANY_PIXELS',
      `The image has ${width}×${height} pixels; at most ${maxPixels} are decoded.`,
      {
        mend: 'Store a smaller picture, or raise MEDIA_MAX_PIXELS and the memory of the service with it.',
      },
    );
  }
  return { bytes, size: { width, height } };
}

async function readHeader(bytes: Buffer): Promise<Metadata> {
  const found = (): string => `The source is ${seenContent(bytes)}`;
  // sharp takes empty bytes for a mistake of the caller and says so in words about its parameters.
  if (bytes.length === 0) throw notAnImage(found());
  // Without a limit of its own, so that the message can tell the size that the header claims.
  const header = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((cause: unknown) => {
      if (/unsupported image format/.test(String(cause))) throw notAnImage(found(), cause);
      throw damaged(cause, `${found()} whose header cannot be read`);
    });
  // The container of AVIF may hold HEVC (HEIC, as telephones write it), which the prebuilt libvips has no decoder for.
  if (header.format === 'heif' && header.compression !== 'av1') throw notAnImage(found());
  return header;
}

/** A pipeline over the source: upright, strict about damage, and with the pixel limit in force a second time. */
export function decode(image: SourceImage): Sharp {
  return sharp(image.bytes, {
    autoOrient: true,
    // "error" refuses truncated and broken pixel data but not what decoders only grumble about, such as a stray byte
    // before a marker; viewers show those files and so should we.
    failOn: 'error',
    limitInputPixels: image.size.width * image.size.height,
  });
}

/**
 * Names the failure of decoding: the picture is at fault, unless libvips says that memory was.
 * @returns the error to throw.
 */
export function decodeFailure(cause: unknown, { width, height }: Size): unknown {
  if (/out of memory|unable to allocate|failed to allocate/i.test(String(cause))) return cause;
  return damaged(cause, `The image of ${width}×${height} pixels cannot be decoded`);
}

function notAnImage(found: string, cause?: unknown): MediaError {
  return new MediaError('MEDIA_NOT_AN_IMAGE', `${found}; expected ${acceptedFormats}.`, {
    mend: 'Store the picture in one of these formats; the name of a file does not make it one.',
    cause,
  });
}

function damaged(cause: unknown, what: string): MediaError {
  const reason = cause instanceof Error ? cause.message.trim().split('\n')[0] : String(cause);
  return new MediaError('MEDIA_IMAGE_DAMAGED', `${what}: ${reason}.`, {
    mend: 'The file is cut short or corrupt: upload it again.',
    cause,
  });
}
