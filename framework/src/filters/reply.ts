import { toError } from '../base/errors.js';
import { redactError } from '../base/redact.js';
import { validateResult } from '../model/contract.js';
import { header } from '../model/envelope.js';
import type { Attempt, Filter } from '../model/filter.js';
import type { JobLog } from '../model/job-context.js';
import type { Outcome } from '../model/outcome.js';
import { type FailedOutcome, isReplyAddress, type Reply } from '../model/reply.js';
import type { Broker } from '../ports/broker.js';

/** Tells the result of a job, or why there is none, to whoever waits for it. Nobody waits for whether it arrives. */
export function replyFilter(broker: Broker, log: JobLog): Filter {
  return {
    name: 'reply',

    async attempt(attempt, next) {
      const outcome = await next();
      const { headers, replyTo = headers[header.replyTo] } = attempt.message.properties;
      if (!isReplyAddress(replyTo)) return outcome;
      const reply = await replyOf(attempt, outcome);
      if (reply) {
        const body = Buffer.from(JSON.stringify(reply));
        const properties = { correlationId: attempt.job.id, contentType: 'application/json', headers: {} };
        broker.publish({ exchange: '', routingKey: replyTo, body, properties }).catch((error: unknown) => {
          log.debug(
            { job: attempt.job.id, err: redactError(toError(error)) },
            'nobody waits for the result any more',
          );
        });
      }
      return outcome;
    },
  };
}

async function replyOf({ job, contract }: Attempt, outcome: Outcome): Promise<Reply | undefined> {
  const failed = (kind: FailedOutcome, error: Error): Reply => {
    const { name, message } = redactError(error);
    return { v: 1, job: job.id, outcome: kind, error: { name, message } };
  };
  switch (outcome.kind) {
    case 'completed':
      try {
        await validateResult(contract, outcome.result);
        return { v: 1, job: job.id, outcome: 'completed', result: outcome.result };
      } catch (error) {
        return failed('dead', toError(error));
      }
    case 'dead':
      return failed('dead', outcome.error);
    case 'discard':
      return failed('discarded', new Error(outcome.reason));
    case 'cancelled':
      return failed('cancelled', new Error(outcome.reason ?? 'The job was cancelled.'));
    case 'expired':
      return failed('expired', new Error('The job expired before it was started.'));
    default:
      return undefined; // it comes back
  }
}
