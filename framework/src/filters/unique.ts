import type { StoreError } from '../base/errors.js';
import { toError } from '../base/errors.js';
import { redactError } from '../base/redact.js';
import { header } from '../model/envelope.js';
import { asPassing, type Attempt, type Filter } from '../model/filter.js';
import type { JobLog } from '../model/job-context.js';
import type { Outcome } from '../model/outcome.js';
import { readUniqueMark, type UniqueMark } from '../model/unique.js';
import type { TakenPayload, UniqueStore } from '../ports/unique-store.js';

/** How long a job stays away when the store cannot be had. Halved by jitter. */
const storeAwayMs = 5_000;

/**
 * The consuming side of unique jobs: gives a job the newest payload when it starts, and frees its key when it has ended.
 * Others pass it by.
 * @param open rejects with a StoreError when there is no store.
 */
export function uniqueFilter(open: () => Promise<UniqueStore>, log: JobLog): Filter {
  return {
    name: 'unique',

    lightAttempt(attempt, next, done) {
      const mark = attempt.message.properties.headers[header.unique];
      const read = mark === undefined ? undefined : readUniqueMark(mark);
      if (read) asPassing((subject, rest) => run(subject, read, rest))(attempt, next, done);
      else next(done);
    },
  };

  async function run(
    attempt: Attempt,
    { on, key }: UniqueMark,
    next: () => Promise<Outcome>,
  ): Promise<Outcome> {
    const { job, message } = attempt;
    const details = { job: job.id, contract: job.contract, attempt: job.attempt };
    const claim = { key, job: job.id };
    if (on !== 'until-done') {
      let taken: TakenPayload;
      try {
        taken = await (await open()).take(claim);
      } catch (error) {
        const { code } = error as StoreError;
        const text = 'the newest payload of the job cannot be had; it snoozes';
        log[code === 'JR_STORE_UNSET' ? 'error' : 'warn'](
          { ...details, err: redactError(toError(error)) },
          text,
        );
        return { kind: 'snooze', inMs: Math.round(storeAwayMs * (0.5 + Math.random() / 2)) };
      }
      if (taken.kind === 'later') return { kind: 'snooze', inMs: taken.inMs };
      // In its place, so that a retry and a dead letter have it too.
      if (taken.body !== undefined) (message as { body: Buffer }).body = Buffer.from(taken.body);
    }
    const outcome = await next();
    if (hasEnded(outcome)) {
      await open()
        .then((store) => store.end(claim))
        .catch((error: unknown) => {
          const text = 'the key of a unique job could not be freed; it lapses';
          log.warn({ ...details, err: redactError(toError(error)) }, text);
        });
    }
    return outcome;
  }
}

function hasEnded({ kind }: Outcome): boolean {
  return kind !== 'retry' && kind !== 'snooze' && kind !== 'released';
}
