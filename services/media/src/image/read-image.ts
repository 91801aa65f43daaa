import type { Storage } from '@jobrail/storage';
import { byteSize } from '../byte-size.js';
import { MediaError } from '../media-error.js';

/**
 * Reads a source image into memory, giving up as soon as it turns out too large. Bytes rather than a path go to the
 * decoder: libvips would take the end of a name such as `a.jpg[page=2]` for options.
 * @throws StorageError (`STORAGE_NOT_FOUND` and others); MediaError (`MEDIA_INPUT_TOO_LARGE`).
 */
export async function readImage(
  storage: Storage,
  key: string,
  { maxBytes, signal }: { maxBytes: number; signal: AbortSignal },
): Promise<Buffer> {
  const stream = await storage.get(key);
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop by an error destroys the stream, and with it the descriptor or connection that it holds.
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    signal.throwIfAborted();
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new MediaError('MEDIA_INPUT_TOO_LARGE', `"${key}" is larger than ${byteSize(maxBytes)}.`, {
        mend: 'Store a smaller image, or raise MEDIA_MAX_IMAGE_BYTES.',
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}
