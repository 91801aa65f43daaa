import { JobrailError } from '../base/errors.js';

/** What is told to whoever waits for the result of a job, as JSON. */
export type Reply =
  | { v: 1; job: string; outcome: 'completed'; result?: unknown }
  | { v: 1; job: string; outcome: FailedOutcome; error: { name: string; message: string } };

export type FailedOutcome = 'dead' | 'discarded' | 'cancelled' | 'expired';

/** Addresses that answers are sent to: nobody gets a service to write into a queue of his choice. */
export function isReplyAddress(address: unknown): address is string {
  return typeof address === 'string' && address.startsWith('amq.rabbitmq.reply-to.');
}

/** A job whose result was waited for did not complete. `name` and `message` are those of what its last attempt failed with. */
export class JobFailure extends JobrailError {
  constructor(
    readonly job: string,
    readonly outcome: FailedOutcome,
    error: { name: string; message: string },
  ) {
    super('JR_JOB_FAILED', error.message);
    this.name = error.name;
  }
}
