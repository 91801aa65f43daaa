import type { ContainerModule } from 'inversify';
import { ConfigError } from '../base/errors.js';
import { type Order, type Report, thrownFacts } from '../model/border.js';
import { shownModule } from '../model/isolation.js';
import { type HandlerClass, jobDefinition } from '../model/job.js';
import { bindHandlers, type BoundHandler } from './handlers.js';
import { type Border, IsolatedContext } from './isolated-context.js';
import { enterIsolate } from './isolate-mark.js';

const loaded = new Map<string, Promise<BoundHandler>>();

/** Runs an attempt in the isolate that this is called in. Never rejects. */
export async function runIsolated(
  { module, contract, job, payload }: Order,
  border: Border,
  onContext: (context: IsolatedContext) => void,
): Promise<Report> {
  enterIsolate(shownModule(module));
  try {
    const key = `${module} ${contract}`;
    let handler = loaded.get(key);
    if (!handler) loaded.set(key, (handler = load(module, contract)));
    const ready = await handler;
    if (!job) return { done: true, result: undefined };
    const context = new IsolatedContext(job, border);
    onContext(context);
    const result: unknown = await ready.build(context).handle(payload, context);
    return { done: true, result: cloneable(result) };
  } catch (error) {
    return { done: false, thrown: thrownFacts(error) };
  }
}

/** The handler of a contract that a module exports, with what its dependencies need. */
async function load(module: string, contract: string): Promise<BoundHandler> {
  const exports = (await import(module)) as Record<string, unknown>;
  const found = Object.values(exports).find((value) => handles(value, contract));
  if (!found) {
    throw new ConfigError(
      'JR_CONFIG_INVALID',
      `${shownModule(module)} exports no class that is marked with @Job for "${contract}", so it cannot run in an isolate.`,
      { mend: 'Export the class from that file, or name the file that does: isolate: { in, module }.' },
    );
  }
  const modules = (exports['isolateModules'] ?? []) as ContainerModule[];
  const { handlers } = await bindHandlers([found as HandlerClass], modules);
  return handlers[0]!;
}

function handles(value: unknown, contract: string): boolean {
  if (typeof value !== 'function') return false;
  try {
    return jobDefinition(value as HandlerClass).contract.name === contract;
  } catch {
    return false;
  }
}

/** The job is done: that its result cannot cross the border must not have it run again. */
function cloneable(result: unknown): unknown {
  try {
    return structuredClone(result);
  } catch {
    return undefined;
  }
}
