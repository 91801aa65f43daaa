import { z } from 'zod';
import { defineJob, defineQueue, Job } from '../../src/index.js';
import type { Contract, Handler, HandlerClass, JobContext, JobOptions, PayloadOf } from '../../src/index.js';

/** A handler class whose work is a function. */
export function working<C extends Contract>(
  contract: C,
  work: (payload: PayloadOf<C>, job: JobContext) => unknown,
  options: JobOptions<PayloadOf<C>> = {},
): HandlerClass<C> {
  @Job(contract, options)
  class Working implements Handler<C> {
    handle(payload: PayloadOf<C>, job: JobContext): unknown {
      return work(payload, job);
    }
  }
  return Working;
}

/** A contract with a text as payload, alone on a queue of its own name. */
export function lone(name: string, queue: Parameters<typeof defineQueue>[1] = {}) {
  return defineJob(name, { queue: defineQueue(name, queue), payload: z.object({ note: z.string() }) });
}

/** A promise and its `resolve`: what a test opens when a handler may go on. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}
