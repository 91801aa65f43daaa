import { once } from 'node:events';
import type { Request, Response } from 'express';
import {
  type Broker,
  eventsStream,
  eventsTopology,
  type RailEvent,
  type StreamMessage,
} from 'jobrail/events';
import { readBatch } from '../records/read-batch.js';
import { QueryError } from '../search/query-error.js';
import { HttpError } from './http-error.js';

/** Readers of the stream at once, in this replica. */
const mostReaders = 100;
const aliveEveryMs = 15_000;
/** Messages of the stream that a slow reader may leave waiting here. */
const prefetch = 4;

const fields = ['job', 'contract', 'queue', 'service', 'kind'] as const;
type Wanted = Partial<Record<(typeof fields)[number], string[]>>;

/**
 * Events as they come, by Server-Sent Events, straight from the stream: each reader has a reading of its own, so a slow
 * one holds up nobody, and one that comes back with `Last-Event-ID` gets what it has missed.
 */
export class LiveUpdates {
  readonly #open = new Map<Response, Promise<void>>();

  constructor(
    private readonly broker: Broker,
    private readonly prefix: string,
  ) {}

  /** Resolves when the reader has gone. @throws QueryError, HttpError before the first byte */
  async serve(request: Request, response: Response): Promise<void> {
    const wanted = readWanted(request.query);
    const resume = readResume(request.headers['last-event-id']);
    if (this.#open.size >= mostReaders) {
      throw new HttpError(503, 'READERS_TOO_MANY', `${mostReaders} readers follow the events already.`, {
        'retry-after': '30',
      });
    }
    const served = this.#follow(response, { wanted, resume });
    this.#open.set(
      response,
      served.catch(() => undefined),
    );
    await served.finally(() => this.#open.delete(response));
  }

  /** Ends all, so that the server can stop; readers come back by themselves. */
  async close(): Promise<void> {
    for (const response of this.#open.keys()) response.end();
    await Promise.all(this.#open.values());
  }

  async #follow(
    response: Response,
    { wanted, resume }: { wanted: Wanted; resume: Place | undefined },
  ): Promise<void> {
    const gone = once(response, 'close');
    let begin!: () => void;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const send = async (message: StreamMessage) => {
      await begun;
      await this.#send(message, { response, wanted, resume });
    };
    await this.broker.declare(eventsTopology(this.prefix));
    const reading = await this.broker.readStream({
      stream: eventsStream(this.prefix),
      from: resume?.offset ?? 'next',
      prefetch,
      onMessage: (message) => void send(message),
    });
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      connection: 'close', // the end of the stream is the end of the connection
    });
    response.write(': following\n\n');
    begin();
    const alive = setInterval(() => response.write(': alive\n\n'), aliveEveryMs);
    await gone;
    clearInterval(alive);
    await reading.close();
  }

  async #send(
    message: StreamMessage,
    { response, wanted, resume }: { response: Response; wanted: Wanted; resume: Place | undefined },
  ): Promise<void> {
    const read = readBatch(message.body);
    let flowing = true;
    for (const [n, event] of read?.batch.events.entries() ?? []) {
      const { service, host, instance } = read!.batch.from;
      const seen = resume && message.offset === resume.offset && n <= resume.n;
      if (seen || !fits(event, service, wanted)) continue;
      const data = JSON.stringify({ ...event, service, host, instance });
      flowing = response.write(`id: ${message.offset}.${n}\nevent: ${event.kind}\ndata: ${data}\n\n`);
    }
    if (!flowing) await Promise.race([once(response, 'drain'), once(response, 'close')]);
    message.ack();
  }
}

interface Place {
  offset: number;
  n: number;
}

function readWanted(query: Request['query']): Wanted {
  const wanted: Wanted = {};
  for (const [name, value] of Object.entries(query as Record<string, string | string[]>)) {
    const field = fields.find((one) => one === name);
    if (!field) throw new QueryError(name, `is not known; there are ${fields.join(', ')}`);
    wanted[field] = [value].flat().flatMap((text) => text.split(','));
  }
  return wanted;
}

function readResume(id: string | string[] | undefined): Place | undefined {
  if (id === undefined || id === '') return undefined;
  const [, offset, n] = /^(\d{1,15})\.(\d{1,9})$/.exec(String(id)) ?? [];
  if (offset === undefined) throw new QueryError('Last-Event-ID', 'is none of this stream');
  return { offset: Number(offset), n: Number(n) };
}

function fits(event: RailEvent, service: string, wanted: Wanted): boolean {
  return fields.every((field) => {
    const alternatives = wanted[field];
    if (!alternatives) return true;
    const value = field === 'service' ? service : (event as unknown as Record<string, unknown>)[field];
    return typeof value === 'string' && alternatives.includes(value);
  });
}
