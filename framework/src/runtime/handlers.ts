import { Container, type ContainerModule } from 'inversify';
import { ConfigError, toError } from '../base/errors.js';
import { redact, redactError } from '../base/redact.js';
import { JobContext } from '../model/job-context.js';
import { type Handler, type HandlerClass, type JobDefinition, jobDefinition } from '../model/job.js';

/** A handler class as a service uses it. */
export interface BoundHandler extends JobDefinition {
  readonly name: string;
  /** A new instance for an attempt. */
  build(job: JobContext): Handler;
}

/**
 * The container of a service with its modules and handlers, each handler built once to see that it can be.
 *
 * Handlers are transient: each attempt has its own instance. Whatever asks for `JobContext`, directly or through its
 * dependencies, has the scope of the attempt and is built in a child container in which `JobContext` is bound; a
 * handler that nothing of the kind belongs to is built straight from the service's container, which is a thousand times
 * cheaper.
 * @param isolated what takes the place of a handler that runs in an isolate; without it, all are built here.
 * @throws ConfigError for a class without `@Job`, two handlers of one contract, or a missing dependency.
 */
export async function bindHandlers(
  classes: readonly HandlerClass[],
  modules: readonly ContainerModule[],
  isolated?: (definition: JobDefinition) => Handler,
): Promise<{ container: Container; handlers: BoundHandler[] }> {
  const definitions = classes.map((handler) => ({ handler, definition: jobDefinition(handler) }));
  refuseDoubles(definitions);
  const container = new Container();
  await container.loadAsync(...modules);
  const handlers: BoundHandler[] = [];
  for (const { handler, definition } of definitions) {
    if (isolated && definition.isolation) {
      const { name } = handler;
      handlers.push({ ...definition, name, build: () => isolated(definition) });
      continue;
    }
    if (!container.isBound(handler)) container.bind(handler).toSelf().inTransientScope();
    const build = (await asksForJob(container, handler, definition))
      ? (job: JobContext) => inChildContainer(container, job).get<Handler>(handler)
      : () => container.get<Handler>(handler);
    handlers.push({ ...definition, name: handler.name, build });
  }
  return { container, handlers };
}

function inChildContainer(parent: Container, job: JobContext): Container {
  const child = new Container({ parent });
  child.bind(JobContext).toConstantValue(job);
  return child;
}

function refuseDoubles(definitions: readonly { handler: HandlerClass; definition: JobDefinition }[]): void {
  const seen = new Map<string, string>();
  for (const { handler, definition } of definitions) {
    const { name } = definition.contract;
    const other = seen.get(name);
    if (other !== undefined) {
      throw new ConfigError(
        'JR_CONFIG_INVALID',
        `${other} and ${handler.name} both handle contract "${name}".`,
        {
          mend: 'A service has one handler for a contract: remove one of them, or define a second contract.',
        },
      );
    }
    seen.set(name, handler.name);
  }
}

/**
 * Whether building the handler asks for the job. Built first without a `JobContext`: the container plans the whole
 * graph before it builds anything, so a binding that is missing shows at once. If that fails, again with one that only
 * tells that it was asked for.
 */
async function asksForJob(
  container: Container,
  handler: HandlerClass,
  definition: JobDefinition,
): Promise<boolean> {
  const withoutJob = await container.getAsync(handler).then(
    () => undefined,
    (error: unknown) => toError(error),
  );
  if (!withoutJob) return false;
  let asked = false;
  const probe = new Container({ parent: container });
  probe.bind(JobContext).toDynamicValue(() => {
    asked = true;
    throw new Error('only a probe');
  });
  const withJob = await probe.getAsync(handler).then(
    () => undefined,
    (error: unknown) => toError(error),
  );
  if (asked) return true;
  throw unresolved(handler, definition, withJob ?? withoutJob);
}

function unresolved(handler: HandlerClass, { contract }: JobDefinition, error: Error): ConfigError {
  const missing = /No bindings found for service: "([^"]+)"/.exec(error.message)?.[1];
  const firstLine = redact(error.message.split('\n')[0]!);
  return new ConfigError(
    'JR_HANDLER_UNRESOLVED',
    missing
      ? `Handler ${handler.name} of "${contract.name}" needs ${missing}, which is not bound.`
      : `Handler ${handler.name} of "${contract.name}" cannot be built: ${firstLine}`,
    {
      mend: missing
        ? `Bind ${missing} in a ContainerModule and give it in "modules" of the JobService.`
        : 'Check its constructor and the modules of the JobService.',
      cause: redactError(error),
    },
  );
}
