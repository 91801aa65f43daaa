import { ContractError } from '../base/errors.js';
import { mostBodyBytes } from './envelope.js';
import type { MessageProperties } from './message.js';

/*
 * Several jobs of one contract in one message: a pack. `docs/wire.md` tells how it looks. What is not in the line of a job
 * (contract, headers, priority, times) all jobs of a pack have in common.
 */

/** Content encoding of a pack. Who does not know it refuses the message, as it does any encoding but UTF-8. */
export const packEncoding = 'jobrail-pack';

/** Jobs of a pack. More gain nothing, and hold the message up for longer. */
export const mostPackJobs = 1_000;

/** A pack is closed before it is longer than this. Bytes. */
export const mostPackBytes = 65_536;

/** A job as its line has it. */
export interface PackedJob {
  readonly id: string;
  /** The payload as JSON. */
  readonly body: Buffer;
}

const newline = 0x0a;
const space = 0x20;

export function isPack({ contentEncoding }: MessageProperties): boolean {
  return contentEncoding === packEncoding;
}

/** Jobs on their way into one message. */
export class PackWriter {
  readonly ids: string[] = [];
  #lines = '';
  #bytes = 0;

  /** @param jobs it may have. */
  constructor(private readonly jobs: number) {}

  /** Whether another job has its place in it. @param bytes of its payload. */
  takes(bytes: number): boolean {
    return this.ids.length < this.jobs && this.#bytes + lineBytes(bytes) <= mostPackBytes;
  }

  /** @param json payload, without line breaks, as JSON.stringify writes it. @param bytes of it in UTF-8. */
  add(id: string, json: string, bytes: number): void {
    this.ids.push(id);
    this.#lines += `${id} ${json}\n`;
    this.#bytes += lineBytes(bytes);
  }

  /** The body of the message. */
  close(): Buffer {
    return Buffer.from(this.#lines);
  }
}

/** With a UUID before it, and what stands between and behind. */
function lineBytes(payloadBytes: number): number {
  return payloadBytes + 38;
}

/** A body with these jobs. */
export function writePack(jobs: readonly PackedJob[]): Buffer {
  const end = Buffer.from('\n');
  return Buffer.concat(jobs.flatMap(({ id, body }) => [Buffer.from(`${id} `), body, end]));
}

/**
 * The jobs of a body, in order. Payloads are not looked into: one that is no JSON is the matter of its job.
 * @throws ContractError (`JR_MESSAGE_UNREADABLE`)
 */
export function readPack(body: Buffer): PackedJob[] {
  if (body.length > mostBodyBytes) throw unreadable(`has ${body.length} bytes, not at most ${mostBodyBytes}`);
  const jobs: PackedJob[] = [];
  for (let at = 0; at < body.length;) {
    const gap = idEnd(body, at);
    if (gap === undefined) throw unreadable(`has no id of a job in line ${jobs.length + 1}`);
    if (jobs.length === mostPackJobs) throw unreadable(`has more than ${mostPackJobs} jobs`);
    const found = body.indexOf(newline, gap);
    const end = found < 0 ? body.length : found;
    const id = body.toString('latin1', at, gap);
    jobs.push({ id, body: body.subarray(gap + 1, end) });
    at = end + 1;
  }
  if (jobs.length === 0) throw unreadable('has no jobs');
  return jobs;
}

/** Where the space behind an id is: 1 to 128 printable ASCII characters. */
function idEnd(body: Buffer, start: number): number | undefined {
  for (let at = start; at <= start + 128; at++) {
    const byte = body[at];
    if (byte === space) return at > start ? at : undefined;
    if (byte === undefined || byte < space || byte > 0x7e) return undefined;
  }
  return undefined;
}

function unreadable(what: string): ContractError {
  return new ContractError('JR_MESSAGE_UNREADABLE', `The pack ${what}.`, {
    mend: 'docs/wire.md says what a pack of jobs must look like.',
  });
}
