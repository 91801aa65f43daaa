import { StorageError } from '@jobrail/storage';
import { Fatal } from 'jobrail';
import { MediaError } from './media-error.js';

/**
 * Runs the work of an attempt and decides what its failure means: an error that no retry can mend (the source is
 * missing, is no image, is damaged) becomes `Fatal`, so the job is a dead letter at once with that reason. Anything
 * else (a full disk, an unreachable S3, a killed ffmpeg) passes through to the retry policy.
 */
export async function fatalWhenPermanent<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if ((error instanceof MediaError || error instanceof StorageError) && error.permanent)
      throw new Fatal(error);
    throw error;
  }
}
