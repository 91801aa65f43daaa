import { defineJob, defineQueue } from 'jobrail';
import { z } from 'zod';
import { poisons } from './kind.js';

/** Two lanes: the second carries only urgent jobs, none of which ever waits in the delay net. */
export const workQueue = defineQueue('work', { priorities: 2 });

export const Work = defineJob('chaos.work', {
  queue: workQueue,
  payload: z.object({
    kind: z.enum(['plain', 'urgent', 'delayed', 'retried', 'snoozed', 'fatal']),
    /** How long the handler takes. */
    ms: z.number(),
    /** A snoozed job is put off until then. Milliseconds since 1970. */
    notBefore: z.number().optional(),
  }),
});

export const Poison = defineJob('chaos.poison', {
  queue: workQueue,
  payload: z.object({ kind: z.enum(poisons) }),
});
