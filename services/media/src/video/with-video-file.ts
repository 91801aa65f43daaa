import type { Storage } from '@jobrail/storage';
import { byteSize } from '../byte-size.js';
import { MediaError } from '../media-error.js';

/**
 * Runs work with the path of a stored video, and lets go of the path however the work ends.
 * @throws StorageError (`STORAGE_NOT_FOUND` and others); MediaError (`MEDIA_INPUT_TOO_LARGE`), before it is fetched.
 */
export async function withVideoFile<T>(
  storage: Storage,
  { key, maxBytes }: { key: string; maxBytes: number },
  work: (path: string) => Promise<T>,
): Promise<T> {
  const bytes = await storage.size(key);
  if (bytes > maxBytes) {
    throw new MediaError(
      'MEDIA_INPUT_TOO_LARGE',
      `"${key}" has ${byteSize(bytes)}, more than ${byteSize(maxBytes)}.`,
      {
        mend: 'Store a smaller video, or raise MEDIA_MAX_VIDEO_BYTES.',
      },
    );
  }
  const file = await storage.toFile(key);
  try {
    return await work(file.path);
  } finally {
    await file.dispose();
  }
}
