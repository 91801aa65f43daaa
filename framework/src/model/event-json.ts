import type { JobFacts, OutcomeEvent, RailEvent } from './event.js';

type CompletedEvent = Extract<OutcomeEvent, { kind: 'completed' }>;

/** A text that is most often the same as the last time, with its JSON. */
class RepeatedText {
  #text = '';
  #json = '""';

  json(text: string): string {
    if (text !== this.#text) {
      this.#text = text;
      this.#json = JSON.stringify(text);
    }
    return this.#json;
  }
}

/**
 * Writes events as JSON, as `JSON.stringify` does, with what stays the same from one to the next kept. That a job is done
 * is what most events tell, one for each job: it is written by hand, in half of the time.
 */
export class EventWriter {
  readonly #contract = new RepeatedText();
  readonly #queue = new RepeatedText();
  readonly #producer = new RepeatedText();

  write(event: RailEvent): string {
    return event.kind === 'completed' && event.result === undefined
      ? this.#completed(event)
      : JSON.stringify(event);
  }

  #completed({
    job,
    contract,
    queue,
    attempt,
    at,
    startedAt,
    replays,
    facts,
    resultBytes,
  }: CompletedEvent): string {
    return (
      `{"kind":"completed","job":${JSON.stringify(job)},"contract":${this.#contract.json(contract)}` +
      `,"queue":${this.#queue.json(queue)},"attempt":${attempt},"at":${at},"startedAt":${startedAt}` +
      `${number('replays', replays)}${facts ? this.#facts(facts) : ''},"resultBytes":${resultBytes}}`
    );
  }

  #facts({
    enqueuedAt,
    dueAt,
    expiresAt,
    priority,
    rootId,
    causationId,
    traceId,
    producer,
  }: JobFacts): string {
    return (
      `,"facts":{"enqueuedAt":${enqueuedAt}${number('dueAt', dueAt)}${number('expiresAt', expiresAt)}` +
      `${number('priority', priority)}${text('rootId', rootId)}${text('causationId', causationId)}` +
      `${text('traceId', traceId)}${producer === undefined ? '' : `,"producer":${this.#producer.json(producer)}`}}`
    );
  }
}

function number(name: string, value: number | undefined): string {
  return value === undefined ? '' : `,"${name}":${value}`;
}

function text(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":${JSON.stringify(value)}`;
}
