import { JobrailError, OptionError, toError } from '../base/errors.js';
import { wholeNumber } from '../base/options.js';
import { type Contract, type InputOf, validatePayload } from '../model/contract.js';
import type { EnqueueOptions, EnqueuedJob } from '../model/enqueue-options.js';
import { mostPackJobs, PackWriter } from '../model/pack.js';
import type { JobPublisher } from './job-publisher.js';

export interface EnqueueManyOptions<Payload = unknown> extends Omit<EnqueueOptions<Payload>, 'id'> {
  /**
   * Jobs that share one message, at most; 1 to 1,000. Default 1. Many times faster where there are thousands of small jobs
   * of little work: `docs/packs.md` tells what it costs. Not with `unique`.
   */
  pack?: number;
}

/** What became of a job: its id, empty if it could not be one, and the error if it was not accepted. */
interface Result {
  id: string;
  error?: Error;
}

/** Which jobs of an `enqueueMany` were accepted. */
export class BatchError extends JobrailError {
  constructor(
    /** For each payload, in order: the id (empty if it could not be a job), and the error if it was not accepted. */
    readonly results: readonly { id: string; error?: Error }[],
  ) {
    const failed = results.filter(({ error }) => error);
    super(
      'JR_BATCH_INCOMPLETE',
      `${failed.length} of ${results.length} jobs were not accepted: ${failed[0]?.error?.message}`,
      {
        mend: 'The field "results" tells which; send those again with their ids.',
        cause: failed[0]?.error,
      },
    );
  }
}

/** Messages under way at a time. */
const manyAtOnce = 1_000;
const packsAtOnce = 100;

/** Sends jobs of one contract, pipelined. @throws as `JobClient.enqueueMany` */
export async function enqueueMany<C extends Contract>(
  publisher: JobPublisher,
  contract: C,
  payloads: readonly InputOf<C>[],
  { pack = 1, ...given }: EnqueueManyOptions<InputOf<C>>,
): Promise<EnqueuedJob[]> {
  const subject = `enqueueMany("${contract.name}")`;
  if ('id' in given) {
    throw new OptionError(`${subject} has the option "id".`, {
      mend: 'An id belongs to one job: leave it out, or call enqueue() for each.',
    });
  }
  wholeNumber(pack, `pack of ${subject}`, { min: 1, max: mostPackJobs });
  const packed = pack > 1;
  if (packed && given.unique) {
    throw new OptionError(`${subject} has both pack and unique.`, {
      mend: 'A unique job needs a message of its own, which can be left out: leave out one of them.',
    });
  }
  for (const payload of payloads) {
    const checked = validatePayload(contract, payload);
    if (checked instanceof Promise) await checked;
  }
  const options = Object.keys(given).length > 0 ? given : undefined;
  const results: Result[] = [];
  const batch = { publisher, contract, payloads, options, results, next: 0 };
  const senders = Math.min(packed ? packsAtOnce : manyAtOnce, Math.ceil(payloads.length / pack));
  await Promise.all(
    Array.from({ length: senders }, () => (packed ? sendPacks(batch, pack) : sendSingly(batch))),
  );
  if (results.some(({ error }) => error)) throw new BatchError(results);
  return results;
}

/** Jobs that are sent by several in turn. */
interface Batch<C extends Contract> {
  publisher: JobPublisher;
  contract: C;
  payloads: readonly InputOf<C>[];
  options: Omit<EnqueueOptions<InputOf<C>>, 'id'> | undefined;
  results: Result[];
  /** The next to be sent. */
  next: number;
}

async function sendSingly<C extends Contract>(batch: Batch<C>): Promise<void> {
  while (batch.next < batch.payloads.length) await sendOne(batch, batch.next++);
}

async function sendOne<C extends Contract>(batch: Batch<C>, i: number): Promise<void> {
  const { publisher, contract, payloads, options, results } = batch;
  const result: Result = (results[i] = { id: '' });
  try {
    if (options?.unique) {
      result.id = (await publisher.enqueue(contract, payloads[i]!, options)).id;
      return;
    }
    const sending = publisher.prepare(contract, payloads[i]!, options);
    result.id = sending.id;
    await publisher.send(sending);
  } catch (error) {
    result.error = toError(error);
  }
}

async function sendPacks<C extends Contract>(batch: Batch<C>, jobs: number): Promise<void> {
  const { publisher, contract, payloads, options } = batch;
  while (batch.next < payloads.length) {
    const pack = new PackWriter(jobs);
    const packed = fill(pack, batch);
    if (pack.ids.length === 0) {
      // No pack is large enough for the next, if there is one.
      if (batch.next < payloads.length) await sendOne(batch, batch.next++);
      continue;
    }
    try {
      await publisher.send(publisher.preparePack(contract, pack, options));
    } catch (error) {
      for (const result of packed) result.error ??= toError(error);
    }
  }
}

/** Puts jobs into a pack until it is full, or has no place for the next. */
function fill<C extends Contract>(pack: PackWriter, batch: Batch<C>): Result[] {
  const { publisher, contract, payloads, results } = batch;
  const packed: Result[] = [];
  while (batch.next < payloads.length) {
    const result: Result = { id: '' };
    try {
      const id = publisher.addToPack(pack, contract, payloads[batch.next]);
      if (id === undefined) break;
      result.id = id;
    } catch (error) {
      result.error = toError(error);
    }
    results[batch.next++] = result;
    packed.push(result);
  }
  return packed;
}
