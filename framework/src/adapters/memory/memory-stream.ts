import type { OutgoingMessage } from '../../model/message.js';
import type { QueuePlan } from '../../model/topology.js';
import type { QueueHost } from './memory-queue.js';

/** A message as a stream keeps it. */
export interface StreamEntry {
  readonly offset: number;
  readonly message: OutgoingMessage;
}

/** Who reads a stream. */
export interface StreamReader {
  /** There is more to read. */
  grown(): void;
  /** The stream was deleted. */
  cancelled(): void;
}

export function isStream({ arguments: args }: QueuePlan): boolean {
  return args['x-queue-type'] === 'stream';
}

/**
 * A stream: messages that stay, however often they are read. The oldest go when it holds more bytes than
 * `x-max-length-bytes`; their age is not looked at.
 */
export class MemoryStream {
  readonly #entries: StreamEntry[] = [];
  readonly #readers = new Set<StreamReader>();
  #bytes = 0;
  #nextOffset = 0;

  constructor(
    readonly plan: QueuePlan,
    private readonly host: QueueHost,
  ) {}

  get name(): string {
    return this.plan.name;
  }

  get ready(): number {
    return this.#entries.length;
  }

  get consumers(): number {
    return this.#readers.size;
  }

  /** What the next message gets. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  put(message: OutgoingMessage): void {
    this.#entries.push({ offset: this.#nextOffset++, message });
    this.#bytes += message.body.length;
    const most = this.plan.arguments['x-max-length-bytes'] ?? Infinity;
    while (this.#bytes > most && this.#entries.length > 1) {
      this.#bytes -= this.#entries.shift()!.message.body.length;
    }
    for (const reader of this.#readers) reader.grown();
    this.host.activity.touch();
  }

  /** The first entry with at least this offset. */
  at(offset: number): StreamEntry | undefined {
    const [first] = this.#entries;
    return first && this.#entries[Math.max(0, offset - first.offset)];
  }

  addReader(reader: StreamReader): void {
    this.#readers.add(reader);
    this.host.activity.touch();
  }

  removeReader(reader: StreamReader): void {
    this.#readers.delete(reader);
    this.host.activity.touch();
  }

  delete(): void {
    const readers = [...this.#readers];
    this.#readers.clear();
    for (const reader of readers) reader.cancelled();
  }
}
