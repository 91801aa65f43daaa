import { type Clock, systemClock } from '../base/clock.js';
import { redact } from '../base/redact.js';
import { enqueuedAtOf } from '../model/envelope.js';
import { cut } from '../model/error-facts.js';
import { jobFacts, replaysOf } from '../model/event-facts.js';
import type { Attempt, Filter } from '../model/filter.js';
import { readPack } from '../model/pack.js';
import { recordedPayload } from '../model/recorded-payload.js';
import type { EventSink } from '../ports/event-sink.js';

/**
 * Tells the steps of a job that are not outcomes: enqueued, started, progress, lines of its log. Outcomes are told when
 * the job is settled (`runtime/settler.ts`), because a job is acked only when they are on the stream.
 */
export function eventsFilter(sink: EventSink, clock: Clock = systemClock): Filter {
  return {
    name: 'events',

    lightPublish({ contract, id, message, pack }, next) {
      const tell = () => {
        const { body, properties } = message;
        const at = clock.now();
        const facts = jobFacts(properties, enqueuedAtOf(properties) ?? at);
        const about = { contract: contract.name, queue: contract.queue.name, at, ...facts };
        for (const job of pack ? readPack(body) : [{ id, body }]) {
          sink.tell(
            { kind: 'enqueued', job: job.id, ...about, payloadBytes: job.body.length },
            recordedPayload(contract, job.body, true),
          );
        }
      };
      const sent = next();
      return sent instanceof Promise ? sent.then(tell) : tell();
    },

    // One that ends sooner is told by its outcome alone.
    lasts(attempt) {
      attempt.announced = true;
      sink.tell({
        kind: 'started',
        ...subject(attempt, attempt.startedAt),
        ...jobFacts(attempt.message.properties, attempt.job.enqueuedAt.getTime()),
      });
    },

    progress(attempt, fraction, note) {
      const about = subject(attempt, clock.now());
      sink.tell({ kind: 'progress', ...about, fraction, ...(note !== undefined && { note: shown(note) }) });
    },

    log(attempt, level, message) {
      sink.tell({ kind: 'log', ...subject(attempt, clock.now()), level, message: shown(message) });
    },
  };
}

function subject({ job, contract, message }: Attempt, at: number) {
  const replays = replaysOf(message.properties);
  return {
    job: job.id,
    contract: contract.name,
    queue: contract.queue.name,
    attempt: job.attempt,
    at,
    ...(replays !== undefined && { replays }),
  };
}

const shown = (text: string) => cut(redact(text), 1_000);
