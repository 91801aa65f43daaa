import { type Clock, pause } from '../base/clock.js';
import { StoreError, toError } from '../base/errors.js';
import { redactError } from '../base/redact.js';
import { validatePayload } from '../model/contract.js';
import { readPayload } from '../model/envelope.js';
import type { Attempt, Filter } from '../model/filter.js';
import { type Idempotency, keyOf } from '../model/idempotency.js';
import type { JobLog } from '../model/job-context.js';
import { type Outcome, outcomeOf } from '../model/outcome.js';
import type { RetryPolicy } from '../model/retry.js';
import type { AttemptTransactions } from '../ports/attempt-transactions.js';
import type { Claim, ClaimAnswer, IdempotencyStore } from '../ports/idempotency-store.js';

export interface IdempotencyFilterOptions extends Idempotency {
  store: IdempotencyStore;
  /** Where the store has transactions that a handler can work in. */
  transactions?: AttemptTransactions | undefined;
  /** Of the handler. */
  retry: RetryPolicy;
  log: JobLog;
  clock: Clock;
}

/** How long a job stays away when the store cannot be had, or somebody else is at work on its key. Halved by jitter. */
const storeAwayMs = 5_000;
const busyMs = 2_000;

/**
 * Lets a job that completed not run again: its key is claimed before the handler, and marked as done after it. Whoever has
 * the key already returns its result; whoever comes while it is worked on, or while the store cannot be had, snoozes,
 * which counts as no attempt. After any other outcome the key is free again.
 *
 * Between the effect of a handler and the mark a process can die: then the job runs again. Only in a transaction that
 * both are part of does that come to nothing.
 */
export function idempotencyFilter(options: IdempotencyFilterOptions): Filter {
  const { store, transactions, leaseMs, keepForMs, retry, log, clock } = options;

  return {
    name: 'idempotency',

    async attempt(attempt, next) {
      const { job } = attempt;
      const details = { job: job.id, contract: job.contract, attempt: job.attempt };
      let answer: ClaimAnswer;
      try {
        const key = await keyOfAttempt(attempt, options);
        if (key === undefined) return await next();
        answer = await store.claim(`${job.contract}:${key}`, leaseMs, keepForMs);
      } catch (error) {
        if (!(error instanceof StoreError)) return { kind: 'dead', reason: 'fatal', error: toError(error) };
        log.warn({ ...details, err: redactError(error) }, 'the store cannot be had; the job snoozes');
        return { kind: 'snooze', inMs: jittered(storeAwayMs) };
      }
      if (answer.kind === 'done') {
        log.debug(details, 'the job was done before; its result is kept');
        const { result } = answer;
        return {
          kind: 'completed',
          result: result === undefined ? undefined : (JSON.parse(result) as unknown),
        };
      }
      if (answer.kind === 'busy') {
        return { kind: 'snooze', inMs: jittered(Math.min(busyMs, Math.max(100, answer.leftMs))) };
      }
      return run(attempt, answer.claim, next);
    },
  };

  async function run(attempt: Attempt, claim: Claim, next: () => Promise<Outcome>): Promise<Outcome> {
    const { job } = attempt;
    const details = { job: job.id, contract: job.contract, attempt: job.attempt };
    const transaction = transactions?.open(job);
    const outcome = await next();
    if (outcome.kind !== 'completed') {
      const lost = await transaction?.rollback();
      await giveBack(claim, details);
      return lost && isFailure(outcome) ? { kind: 'snooze', inMs: jittered(storeAwayMs) } : outcome;
    }
    const done = { result: asJson(outcome.result), keepForMs };
    if (!transaction?.begun) {
      await mark(claim, () => store.complete(claim, done), attempt);
      return outcome;
    }
    try {
      if (await transaction.commit((on) => store.complete(claim, done, on))) return outcome;
      log.warn(details, 'the job was taken over while it ran; what it did is rolled back');
      return { kind: 'snooze', inMs: jittered(busyMs) };
    } catch (error) {
      await giveBack(claim, details);
      if (!(error instanceof StoreError) || error.code !== 'JR_STORE_UNREACHABLE') {
        return outcomeOf(error, job.attempt, retry, Math.random);
      }
      // It may have been committed all the same: the next claim will tell.
      log.warn({ ...details, err: redactError(error) }, 'the store was lost at the commit; the job snoozes');
      return { kind: 'snooze', inMs: jittered(storeAwayMs) };
    }
  }

  /** The work is done and cannot be undone, so the mark is tried until the store is back, or the attempt is over. */
  async function mark({ key }: Claim, complete: () => Promise<boolean>, { job }: Attempt): Promise<void> {
    const details = { job: job.id, contract: job.contract, attempt: job.attempt, key };
    for (;;) {
      try {
        if (!(await complete())) {
          log.warn(details, 'the job was taken over while it ran: it may have been done twice');
        }
        return;
      } catch (error) {
        const err = redactError(toError(error));
        if (job.signal.aborted) {
          log.error(
            { ...details, err },
            'the job is done but could not be marked: if it comes again, it is done again',
          );
          return;
        }
        log.warn({ ...details, err }, 'the job is done but not marked yet; trying again');
        await pause(clock, 1_000, job.signal);
      }
    }
  }

  /** If it cannot be given back, it lapses. */
  async function giveBack(claim: Claim, details: object): Promise<void> {
    await store.release(claim).catch((error: unknown) => {
      log.warn({ ...details, err: redactError(toError(error)) }, 'a key could not be released; it lapses');
    });
  }
}

/**
 * Undefined for a payload that cannot be read: the attempt has an outcome of its own for that.
 * @throws ContractError (`JR_KEY_INVALID`)
 */
async function keyOfAttempt(
  { job, contract, message }: Attempt,
  { key }: Idempotency,
): Promise<string | undefined> {
  if (!key) return job.id;
  let payload: unknown;
  try {
    payload = await validatePayload(contract, readPayload(message.body));
  } catch {
    return undefined;
  }
  return keyOf(contract.name, key, payload);
}

/** An attempt that failed because its transaction was lost is as little its fault as one that could not claim its key. */
function isFailure(outcome: Outcome): boolean {
  return outcome.kind === 'retry' || (outcome.kind === 'dead' && outcome.reason === 'retries-exhausted');
}

function asJson(result: unknown): string | undefined {
  try {
    const json = JSON.stringify(result) as string | undefined;
    return json !== undefined && json.length <= mostResultCharacters ? json : undefined;
  } catch {
    return undefined; // a circle or a bigint; the job is done all the same
  }
}

const mostResultCharacters = 1024 * 1024;

function jittered(ms: number): number {
  return Math.round(ms * (0.5 + Math.random() / 2));
}
