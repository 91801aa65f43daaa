import { openStorage, Storage } from '@jobrail/storage';
import { ContainerModule } from 'inversify';
import type { MediaConfig } from './config.js';
import { type MediaLimits, mediaLimits } from './media-limits.js';
import { Ffmpeg } from './video/ffmpeg.js';

/**
 * Binds what the handlers work with. The storage is opened here and now, so that a broken URL ends the start and not
 * the first job.
 * @throws StorageError (`STORAGE_URL_INVALID`).
 */
export function mediaModule(
  config: Pick<MediaConfig, 'storageUrl' | 'limits'>,
  ffmpeg: Ffmpeg,
): ContainerModule {
  const storage = openStorage(config.storageUrl);
  return new ContainerModule(({ bind }) => {
    bind(Storage).toConstantValue(storage);
    bind<MediaLimits>(mediaLimits).toConstantValue(config.limits);
    bind(Ffmpeg).toConstantValue(ffmpeg);
  });
}
