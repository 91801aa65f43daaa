import { ConfigError } from '../base/errors.js';

let module: string | undefined;

/** From now on this thread or process is an isolate, for a handler of this module. */
export function enterIsolate(of: string): void {
  module = of;
}

/** @throws ConfigError in an isolate, where a service would start because the module of a handler starts one. */
export function refuseInIsolate(service: string): void {
  if (module === undefined) return;
  throw new ConfigError(
    'JR_CONFIG_INVALID',
    `Service "${service}" was started in an isolate, by importing ${module}.`,
    {
      mend: 'Put the isolated handler class into a file of its own, which starts nothing when it is imported.',
    },
  );
}
