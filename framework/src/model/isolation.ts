import { fileURLToPath } from 'node:url';
import { describe, OptionError } from '../base/errors.js';
import { refuseUnknownOptions, wholeNumber } from '../base/options.js';
import { type Duration, durationMs } from '../base/duration.js';

export interface IsolateOptions {
  /** A worker thread of this process, or a process of its own. */
  in: 'thread' | 'process';
  /** URL of the module that exports the handler class: `import.meta.url`. Default: the file in which `@Job` was written. */
  module?: string;
  /** Most JavaScript heap of one isolate, MiB. An attempt that needs more fails. Default 512. */
  memoryMb?: number;
  /** How long a handler may go on after `job.signal` aborted before its isolate is killed. Default 500 ms. */
  killAfter?: Duration;
  /**
   * Niceness of a process: from 0, as the service, to 19, last of all. Default 10: where processors are short, the service
   * and its broker go first. Threads have that of the service.
   */
  nice?: number;
}

/** Where the attempts of a handler run instead of on the event loop of the service. */
export interface Isolation {
  readonly in: 'thread' | 'process';
  readonly module: string;
  readonly memoryMb: number;
  readonly killAfterMs: number;
  readonly nice: number;
}

/** @throws OptionError @param writtenIn the file in which `@Job` was written, as far as is known. */
export function readIsolation(
  given: IsolateOptions['in'] | IsolateOptions,
  subject: string,
  writtenIn: string | undefined,
): Isolation {
  const options: IsolateOptions = typeof given === 'object' ? given : { in: given };
  const what = `isolate of ${subject}`;
  refuseUnknownOptions(what, options, ['in', 'module', 'memoryMb', 'killAfter', 'nice']);
  if (options.in !== 'thread' && options.in !== 'process') {
    throw new OptionError(`${what} is ${describe(options.in)}.`, { mend: 'Use "thread" or "process".' });
  }
  if (options.in === 'thread' && options.nice !== undefined) {
    throw new OptionError(`${what} has the option "nice".`, { mend: 'Only a process has one of its own.' });
  }
  const { module = writtenIn, memoryMb = 512, killAfter = '500ms', nice = 10 } = options;
  if (module === undefined || !URL.canParse(module)) {
    throw new OptionError(`The module of ${what} is ${describe(module)}.`, {
      mend: 'Give the URL of the file that exports the class: isolate: { in, module: import.meta.url }.',
    });
  }
  return {
    in: options.in,
    module,
    memoryMb: wholeNumber(memoryMb, `memoryMb of ${what}`, { min: 16, max: 1_048_576 }),
    killAfterMs: durationMs(killAfter, `killAfter of ${what}`),
    nice: wholeNumber(nice, `nice of ${what}`, { min: 0, max: 19 }),
  };
}

/** The file that called the function that calls this, as a URL. */
export function callerFile(outer: (...args: never[]) => unknown): string | undefined {
  const before = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  try {
    // Where files really are, whatever source maps say.
    Error.prepareStackTrace = (_error, sites) => sites[0]?.getFileName();
    const holder: { stack?: unknown } = {};
    Error.captureStackTrace(holder, outer);
    const file = holder.stack;
    if (typeof file !== 'string' || file === '') return undefined;
    return URL.canParse(file) ? file : new URL(`file://${file}`).href;
  } finally {
    if (before) Object.defineProperty(Error, 'prepareStackTrace', before);
    else Reflect.deleteProperty(Error, 'prepareStackTrace');
  }
}

/** A module as it is shown to people. */
export function shownModule(module: string): string {
  return module.startsWith('file:') ? fileURLToPath(module) : module;
}
