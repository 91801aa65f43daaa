import { openStorage, Storage } from '@jobrail/storage';
import { ContainerModule } from 'inversify';
import type { EmailConfig } from './config.js';
import { Mailer } from './mailer.js';
import { Templates } from './templates.js';

/**
 * Binds what the handler works with. The parts that configuration can spoil are made here and now, so that a broken
 * template or storage URL ends the start and not the first job.
 * @throws TemplateError, StorageError.
 */
export function emailModule(config: EmailConfig, mailer: Mailer): ContainerModule {
  const templates = new Templates({ directory: config.templatesDirectory, product: config.product });
  const storage = openStorage(config.storageUrl);
  return new ContainerModule(({ bind }) => {
    bind(Templates).toConstantValue(templates);
    bind(Storage).toConstantValue(storage);
    bind(Mailer).toConstantValue(mailer);
  });
}
