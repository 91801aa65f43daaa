import type { StreamReading, StreamReadOptions } from '../../ports/broker.js';
import { type MemoryNode, missing } from './memory-node.js';
import type { MemoryStream, StreamReader } from './memory-stream.js';

/** One reading of a stream. When the stream is deleted, it goes on at the beginning of the next of that name. */
export class MemoryStreamReading implements StreamReading, StreamReader {
  #stream: MemoryStream | undefined;
  #next = 0;
  #unacked = 0;
  #reading = false;
  #closed = false;

  constructor(
    private readonly node: MemoryNode,
    private readonly options: StreamReadOptions,
    private readonly redeclare: () => void,
  ) {}

  get ready(): boolean {
    return this.#stream !== undefined;
  }

  /** @throws TopologyError (`JR_TOPOLOGY_MISSING`) */
  start(): void {
    const { stream: name, from } = this.options;
    const stream = this.node.stream(name);
    if (!stream) throw missing(`stream "${name}"`);
    this.#attach(stream, from === 'next' ? stream.nextOffset : from === 'first' ? 0 : from);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stream?.removeReader(this);
    this.#stream = undefined;
    await this.node.activity.turn();
  }

  grown(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.node.activity.later(() => {
      this.#reading = false;
      this.#read();
    });
  }

  cancelled(): void {
    this.#stream = undefined;
    void this.#restore();
  }

  #attach(stream: MemoryStream, offset: number): void {
    this.#stream = stream;
    this.#next = offset;
    this.#unacked = 0;
    stream.addReader(this);
    this.grown();
  }

  #read(): void {
    const stream = this.#stream;
    while (stream && stream === this.#stream && this.#unacked < (this.options.prefetch ?? 100)) {
      const entry = stream.at(this.#next);
      if (!entry) return;
      const { offset, message } = entry;
      this.#next = offset + 1;
      this.#unacked++;
      const properties = structuredClone(message.properties);
      properties.headers['x-stream-offset'] = offset;
      let acked = false;
      const ack = () => {
        if (acked || stream !== this.#stream) return;
        acked = true;
        this.#unacked--;
        this.grown();
      };
      this.options.onMessage({ offset, body: Buffer.from(message.body), properties, ack });
    }
  }

  async #restore(): Promise<void> {
    while (!this.#closed) {
      await this.node.activity.turn();
      try {
        this.redeclare();
      } catch {
        // It exists with other arguments: whoever mends that changes something.
      }
      const stream = this.node.stream(this.options.stream);
      if (stream && !this.#closed) return this.#attach(stream, 0);
      await this.node.changed();
    }
  }
}
