import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Storage } from '@jobrail/storage';
import { byteSize } from '../byte-size.js';
import { MediaError } from '../media-error.js';

/** Where the work on a video takes place. */
export interface VideoFolder {
  /**
   * The source. Its name has no ending: ffmpeg takes an ending for a hint at the format, and what a text called
   * `film.mp4` is should be told by its content alone.
   */
  source: string;
  /** A path for a file to be made. */
  file: (name: string) => string;
}

/**
 * Runs work on a stored video, in a folder under TMPDIR that is removed with its contents however the work ends.
 * @throws StorageError (`STORAGE_NOT_FOUND` and others); MediaError (`MEDIA_INPUT_TOO_LARGE`), before it is fetched.
 */
export async function withVideoFile<T>(
  storage: Storage,
  { key, maxBytes }: { key: string; maxBytes: number },
  work: (folder: VideoFolder) => Promise<T>,
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
  const stored = await storage.toFile(key);
  const folder = await mkdtemp(join(tmpdir(), 'jobrail-media-'));
  try {
    const source = join(folder, 'source');
    await symlink(resolve(stored.path), source);
    return await work({ source, file: (name) => join(folder, name) });
  } finally {
    await rm(folder, { recursive: true, force: true });
    await stored.dispose();
  }
}
