import { Readable } from 'node:stream';

/**
 * The content of one `put`, on its way in: counts its bytes and remembers whether it was the source that failed,
 * which the caller must hear unchanged, or the storage.
 */
export class MeteredSource {
  bytes = 0;
  #failure: { error: unknown } | undefined;
  readonly #source: Readable;

  constructor(source: Readable | Buffer | string) {
    this.#source =
      source instanceof Readable
        ? source
        : Readable.from([typeof source === 'string' ? Buffer.from(source) : source]);
    // Until the storage is ready to read, an early failure of the source would have no listener and end the
    // process. Reading hears of it all the same: a destroyed stream throws its error.
    this.#source.on('error', () => undefined);
  }

  /** The bytes, once. Leaving early destroys the source. */
  async *chunks(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of this.#source) {
        const bytes = asBytes(chunk);
        this.bytes += bytes.length;
        yield bytes;
      }
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  /** Drops what was not read. */
  destroy(): void {
    this.#source.destroy();
  }

  /** What the caller of `put` must be told: the source's own error if there was one, else what `otherwise` makes. */
  errorFor(otherwise: () => unknown): unknown {
    return this.#failure ? this.#failure.error : otherwise();
  }
}

function asBytes(chunk: unknown): Buffer {
  if (Buffer.isBuffer(chunk)) return chunk;
  if (typeof chunk === 'string') return Buffer.from(chunk);
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new TypeError(`The source stream gave a chunk of type ${typeof chunk}; expected bytes or text.`);
}
