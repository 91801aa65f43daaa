import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type Duration, durationMs } from '../base/duration.js';
import { ContractError, describe, type PayloadIssue } from '../base/errors.js';
import { refuseUnknownOptions, wholeNumber } from '../base/options.js';

export const mostPriorities = 10;

/** Where jobs of some contracts wait. */
export interface Queue {
  readonly name: string;
  /** Number of priorities; they go from 0 (the default) to `priorities - 1` (the most urgent). */
  readonly priorities: number;
  /** `quorum`: a lane for each priority, replicated. `classic`: one queue with `x-max-priority`, for estates that have it. */
  readonly type: 'quorum' | 'classic';
  /** How long the broker waits for an ack before it gives a job to somebody else; undefined leaves it to the broker. */
  readonly ackTimeoutMs: number | undefined;
}

/** What a queue can be called. */
export const queueNames = /^[A-Za-z0-9_-]{1,60}$/;

const reservedQueueNames = ['jobs', 'dead', 'delay', 'events', 'unroutable', 'control'];

/**
 * Defines a queue.
 * @param name letters, digits, `-` and `_`; at most 60 characters.
 * @throws ContractError (`JR_CONTRACT_INVALID`) or OptionError.
 */
export function defineQueue(
  name: string,
  options: {
    /** How many priorities the queue has, 1 to 10. Default 1. On a classic queue the same as `maxPriority + 1`. */
    priorities?: number;
    /** Default `quorum`. */
    type?: 'quorum' | 'classic';
    /** The `x-max-priority` of a classic queue, 0 to 9. */
    maxPriority?: number;
    /**
     * How long the broker waits for an ack. Default: what the broker is configured for, 30 min. Needed where handlers
     * have longer timeouts; takes effect on RabbitMQ 3.12 and later. From 4.3 on a classic queue has no ack timeout.
     */
    ackTimeout?: Duration;
  } = {},
): Queue {
  if (typeof name !== 'string' || !queueNames.test(name) || reservedQueueNames.includes(name)) {
    throw new ContractError('JR_CONTRACT_INVALID', `A queue cannot be named ${describe(name)}.`, {
      mend: `Use 1 to 60 letters, digits, "-" or "_", and none of ${reservedQueueNames.join(', ')}.`,
    });
  }
  const subject = `queue "${name}"`;
  refuseUnknownOptions(subject, options, ['priorities', 'type', 'maxPriority', 'ackTimeout']);
  const { type = 'quorum', maxPriority, ackTimeout } = options;
  if (type !== 'quorum' && type !== 'classic') {
    throw new ContractError('JR_CONTRACT_INVALID', `The type of ${subject} is ${describe(type)}.`, {
      mend: 'Use "quorum" (the default) or "classic".',
    });
  }
  if (maxPriority !== undefined && type === 'quorum') {
    throw new ContractError('JR_CONTRACT_INVALID', `${subject} is a quorum queue with maxPriority.`, {
      mend: 'Give it "priorities" (a lane each), or type "classic".',
    });
  }
  const bounds = { min: 1, max: mostPriorities };
  const priorities = wholeNumber(
    options.priorities ?? (maxPriority === undefined ? 1 : maxPriority + 1),
    `priorities of ${subject}`,
    bounds,
  );
  const ackTimeoutMs =
    ackTimeout === undefined ? undefined : durationMs(ackTimeout, `ackTimeout of ${subject}`);
  return Object.freeze({ name, priorities, type, ackTimeoutMs });
}

/** What a job is called, where it waits and what its payload looks like; shared by producer and handler. */
export interface Contract<
  Schema extends StandardSchemaV1 = StandardSchemaV1,
  Result extends StandardSchemaV1 | undefined = StandardSchemaV1 | undefined,
> {
  readonly name: string;
  readonly queue: Queue;
  readonly payload: Schema;
  /** Fields of the payload that stay out of events and records: paths such as `card.number` or `users.*.password`. */
  readonly secret: readonly string[];
  /** What the handler gives back, for `client.run` and `client.result`. */
  readonly result: Result;
}

/** What `enqueue` takes for a contract: the input of its schema. */
export type InputOf<C extends Contract> = StandardSchemaV1.InferInput<C['payload']>;

/** What a handler gets for a contract: the output of its schema. */
export type PayloadOf<C extends Contract> = StandardSchemaV1.InferOutput<C['payload']>;

/** What `client.run` gives for a contract: the output of its result schema. */
export type ResultOf<C extends Contract> = C['result'] extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<C['result']>
  : never;

/**
 * Defines a contract.
 * @param name dot-separated words, such as `email.send`; it is the routing key, at most 120 characters.
 * @param options.payload any Standard Schema: Zod, Valibot, ArkType and others.
 * @param options.secret fields of the payload that events and records show as `***`: paths of names with dots between
 * them, `*` for each field or element.
 * @param options.result schema of what the handler returns, where somebody waits for it (`client.run`); events and records
 * keep such results, up to 16 KiB.
 * @throws ContractError (`JR_CONTRACT_INVALID`) or OptionError.
 */
export function defineJob<
  Schema extends StandardSchemaV1,
  Result extends StandardSchemaV1 | undefined = undefined,
>(
  name: string,
  options: { queue: Queue; payload: Schema; secret?: readonly string[]; result?: Result },
): Contract<Schema, Result> {
  if (typeof name !== 'string' || name.length > 120 || !/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(name)) {
    throw new ContractError('JR_CONTRACT_INVALID', `A job cannot be named ${describe(name)}.`, {
      mend: 'Use words of letters, digits, "-" and "_", separated by dots, such as "email.send".',
    });
  }
  if (/\.p\d+$/.test(name)) {
    throw new ContractError('JR_CONTRACT_INVALID', `A job cannot be named ${describe(name)}.`, {
      mend: 'A last word such as "p1" would read as priority 1 of another contract: choose another word.',
    });
  }
  refuseUnknownOptions(`job "${name}"`, options, ['queue', 'payload', 'secret', 'result']);
  if (typeof options.payload?.['~standard']?.validate !== 'function') {
    throw new ContractError('JR_CONTRACT_INVALID', `The payload of job "${name}" is no Standard Schema.`, {
      mend: 'Give a schema of Zod, Valibot, ArkType or another library of standardschema.dev.',
    });
  }
  if (options.result !== undefined && typeof options.result['~standard']?.validate !== 'function') {
    throw new ContractError('JR_CONTRACT_INVALID', `The result of job "${name}" is no Standard Schema.`, {
      mend: 'Give a schema of Zod, Valibot, ArkType or another library of standardschema.dev, or leave it out.',
    });
  }
  if (typeof options.queue?.name !== 'string' || typeof options.queue.priorities !== 'number') {
    throw new ContractError(
      'JR_CONTRACT_INVALID',
      `The queue of job "${name}" is ${describe(options.queue)}.`,
      {
        mend: 'Give what defineQueue() returned.',
      },
    );
  }
  const { queue, payload, secret = [] as readonly string[] } = options;
  if (!Array.isArray(secret) || !secret.every((path) => typeof path === 'string' && path !== '')) {
    throw new ContractError('JR_CONTRACT_INVALID', `"secret" of job "${name}" is ${describe(secret)}.`, {
      mend: 'Give a list of paths into the payload, such as ["card.number", "users.*.password"].',
    });
  }
  return Object.freeze({
    name,
    queue,
    payload,
    secret: Object.freeze([...(secret as readonly string[])]),
    result: options.result as Result,
  });
}

/**
 * Holds a payload against the schema of its contract and returns what the schema made of it. Returns without a promise
 * when the schema is synchronous, which keeps the hot path free of a tick.
 * @throws ContractError (`JR_PAYLOAD_INVALID`) with one issue for each thing that is wrong.
 */
export function validatePayload<C extends Contract>(
  contract: C,
  payload: unknown,
): PayloadOf<C> | Promise<PayloadOf<C>> {
  const checked = contract.payload['~standard'].validate(payload);
  return checked instanceof Promise
    ? checked.then((result) => accepted(contract, result))
    : accepted(contract, checked);
}

function accepted<C extends Contract>(contract: C, result: StandardSchemaV1.Result<unknown>): PayloadOf<C> {
  if (!result.issues) return result.value;
  const issues: PayloadIssue[] = result.issues.slice(0, 20).map((issue) => ({
    path: (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
    message: issue.message,
  }));
  const shown = issues
    .slice(0, 3)
    .map(({ path, message }) => (path ? `${path}: ${message}` : message))
    .join('; ');
  throw new ContractError(
    'JR_PAYLOAD_INVALID',
    `The payload does not fit contract "${contract.name}": ${shown}.`,
    {
      mend: 'Send what the contract asks for; the field "issues" lists each place.',
      issues,
    },
  );
}

/**
 * Holds a result against the schema of its contract and returns what the schema made of it.
 * @throws ContractError (`JR_RESULT_INVALID`), also for a contract without a result.
 */
export async function validateResult<C extends Contract>(contract: C, result: unknown): Promise<ResultOf<C>> {
  const checked = await contract.result?.['~standard'].validate(result);
  if (checked && !checked.issues) return checked.value as ResultOf<C>;
  const [issue] = checked?.issues ?? [];
  throw new ContractError(
    'JR_RESULT_INVALID',
    issue
      ? `The result of "${contract.name}" does not fit its schema: ${issue.message}.`
      : `Job "${contract.name}" has no result.`,
    { mend: issue ? 'Return what the schema asks for.' : 'Give "result" in its defineJob().' },
  );
}
