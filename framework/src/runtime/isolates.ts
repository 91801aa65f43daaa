import { availableParallelism } from 'node:os';
import { ConfigError } from '../base/errors.js';
import type { ConcurrencyBounds } from './concurrency-control.js';
import type { JobContext, JobLog } from '../model/job-context.js';
import type { Handler, JobDefinition } from '../model/job.js';
import { revived } from '../model/border.js';
import type { BoundHandler } from './handlers.js';
import { type IsolatePool, runInIsolate } from './isolate.js';
import { ProcessIsolates } from './process-isolates.js';

/** The isolates of a service: a pool for each handler that asks for it. */
export class Isolates {
  readonly #pools = new Map<string, IsolatePool>();

  constructor(private readonly log: JobLog) {}

  /** In place of the handler itself: hands the attempt over to an isolate. */
  handlerOf({ contract, isolation }: JobDefinition): Handler {
    return {
      handle: (payload: unknown, job: JobContext) =>
        runInIsolate(this.#pools.get(contract.name)!, { payload, job, killAfterMs: isolation!.killAfterMs }),
    };
  }

  /**
   * Makes the pools and loads each handler once.
   * @throws ConfigError when a handler cannot be loaded in an isolate.
   */
  async open(
    handlers: readonly BoundHandler[],
    slotsOf: (queue: string) => ConcurrencyBounds,
  ): Promise<void> {
    for (const { contract, isolation, name } of handlers) {
      if (!isolation) continue;
      const size = poolSize(slotsOf(contract.queue.name));
      const options = { contract: contract.name, isolation, size };
      const pool =
        isolation.in === 'process'
          ? new ProcessIsolates(options)
          : new (await import('./thread-isolates.js')).ThreadIsolates(options, this.log);
      this.#pools.set(contract.name, pool);
      const report = await pool.begin(undefined, undefined, () => undefined).report;
      if (!report.done) throw notLoaded(name, isolation.in, revived(report.thrown));
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
  }
}

/** Isolates of a handler: its slots where their number is given, else the processors of the machine. */
function poolSize({ min, max }: ConcurrencyBounds): number {
  return min === max ? max : Math.min(max, Math.max(min, availableParallelism()));
}

/** Slots of a queue: no more than isolates where all its handlers have some, for in an isolate the clock of an attempt runs. */
export function slotsFor(handlers: readonly BoundHandler[], bounds: ConcurrencyBounds): ConcurrencyBounds {
  if (!handlers.every(({ isolation }) => isolation)) return bounds;
  const max = Math.min(bounds.max, handlers.length * poolSize(bounds));
  return { from: Math.min(max, Math.max(bounds.min, poolSize(bounds))), min: bounds.min, max };
}

function notLoaded(handler: string, kind: string, error: Error & { code?: string }): ConfigError {
  const code = error.code === 'JR_HANDLER_UNRESOLVED' ? error.code : 'JR_CONFIG_INVALID';
  const what = `Handler ${handler} cannot be loaded in a ${kind}: ${error.message}`;
  return new ConfigError(code, what, { cause: error });
}
