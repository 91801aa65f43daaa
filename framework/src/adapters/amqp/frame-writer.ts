import type { Channel } from 'amqplib';
import type { MessageProperties, OutgoingMessage } from '../../model/message.js';
import { mostHeaderBytes, writeTable } from './frame-table.js';

/** What amqplib keeps for a channel and its connection. */
interface Inside {
  ch: number;
  connection: {
    stream: NodeJS.WritableStream & { cork(): void; uncork(): void; destroyed: boolean };
    muxer: { out: unknown };
    frameMax: number;
    sentSinceLastCheck: boolean;
  };
}

/** Many messages share one piece of memory, which is written to the socket piece by piece, at most once a tick. */
const slabBytes = 65_536;

/** A longer body is not copied but written by itself. */
const longBody = 16_384;

/** Of a header frame: its start and end, and everything in it of fixed length. */
const fixedHeaderBytes = 64;

const frameEnd = 0xce;
/** Type, channel, size and end of a frame. */
const frameOverhead = 8;
/** Of the frame of an ack or nack. */
const settlementBytes = 21;
const mostTextBytes = 255;
const headerScratch = Buffer.allocUnsafeSlow(mostHeaderBytes);

/**
 * Writes messages, acks and nacks of a channel as AMQP frames straight to the socket, those of a tick together.
 *
 * amqplib allocates six buffers for each message and passes them through two object streams, which takes longer than all
 * that Jobrail does to a job before. Its frames and these may mix on one connection, because each write is of whole
 * frames; on one channel all of a kind go by this way, so they keep their order. Reaches into amqplib, whose version is
 * pinned; if its inside ever looks different, `open` returns undefined and they go by the functions of the channel.
 */
export class FrameWriter {
  #slab = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  #scheduled = false;
  #closed = false;
  /** The publish frame of the last message: most have the same. */
  #method = Buffer.alloc(0);
  #exchange: string | undefined;
  #routingKey: string | undefined;

  static open(channel: Channel): FrameWriter | undefined {
    const { ch, connection } = channel as unknown as Partial<Inside>;
    const { stream, muxer, frameMax } = connection ?? {};
    const known =
      typeof ch === 'number' &&
      typeof frameMax === 'number' &&
      typeof stream?.cork === 'function' &&
      stream === muxer?.out;
    return known ? new FrameWriter(ch, connection!) : undefined;
  }

  private constructor(
    private readonly channel: number,
    private readonly connection: Inside['connection'],
  ) {}

  /**
   * Sends a persistent, mandatory message.
   * @throws TypeError or RangeError for what AMQP cannot hold; nothing of it is sent then.
   */
  write(message: OutgoingMessage): void {
    const { body, properties, exchange, routingKey } = message;
    if (exchange !== this.#exchange || routingKey !== this.#routingKey) this.#turnTo(exchange, routingKey);
    const headersEnd = hasAny(properties.headers) ? writeTable(headerScratch, properties.headers, 0) : 0;
    const mostOfTexts = 3 * textLength(properties);
    this.#makeRoom(this.#method.length + fixedHeaderBytes + mostOfTexts + headersEnd);
    const before = this.#end;
    try {
      this.#end += this.#method.copy(this.#slab, this.#end);
      this.#writeHeader(body.length, properties, headersEnd);
    } catch (error) {
      this.#end = before;
      throw error;
    }
    this.#writeBody(body);
    this.#schedule();
  }

  /** Acknowledges a delivery of this channel, with `multiple` all before it too. */
  ack(deliveryTag: number, multiple: boolean): void {
    this.#settle(80, deliveryTag, multiple ? 1 : 0);
  }

  /** Gives a delivery back, to its queue or to where that dead-letters. */
  nack(deliveryTag: number, requeue: boolean): void {
    this.#settle(120, deliveryTag, requeue ? 2 : 0);
  }

  /** Nothing is written any more: the channel is closed, or about to be. */
  close(): void {
    this.#closed = true;
  }

  #settle(method: number, deliveryTag: number, bits: number): void {
    this.#makeRoom(settlementBytes);
    const slab = this.#slab;
    let end = writeFrameStart(slab, this.#end, 1, this.channel);
    end = slab.writeUInt32BE((60 << 16) | method, end);
    end = slab.writeUInt32BE(Math.floor(deliveryTag / 2 ** 32), end);
    end = slab.writeUInt32BE(deliveryTag >>> 0, end);
    slab[end++] = bits;
    this.#end = endFrame(slab, this.#end, end);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(this.#flush);
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    this.#send();
  };

  #send(piece?: Buffer): void {
    const { stream } = this.connection;
    if (this.#closed || stream.destroyed || !stream.writable) return;
    this.connection.sentSinceLastCheck = true;
    if (this.#end > this.#start) stream.write(this.#slab.subarray(this.#start, this.#end));
    this.#start = this.#end;
    if (piece) stream.write(piece);
  }

  #makeRoom(bytes: number): void {
    if (this.#slab.length - this.#end >= bytes) return;
    this.#send();
    this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, bytes));
    this.#start = 0;
    this.#end = 0;
  }

  #turnTo(exchange: string, routingKey: string): void {
    const method = Buffer.allocUnsafeSlow(2 * (1 + mostTextBytes) + 15);
    let end = writeFrameStart(method, 0, 1, this.channel);
    end = method.writeUInt16BE(60, end);
    end = method.writeUInt16BE(40, end);
    end = method.writeUInt16BE(0, end);
    end = writeText(method, checkedText('exchange', exchange), end);
    end = writeText(method, checkedText('routing key', routingKey), end);
    end = method.writeUInt8(1, end); // mandatory
    this.#method = method.subarray(0, endFrame(method, 0, end));
    this.#exchange = exchange;
    this.#routingKey = routingKey;
  }

  #writeHeader(bodyBytes: number, properties: MessageProperties, headersEnd: number): void {
    const slab = this.#slab;
    const start = this.#end;
    let end = writeFrameStart(slab, start, 2, this.channel);
    end = slab.writeUInt32BE(60 << 16, end); // class, weight
    end = slab.writeUInt32BE(0, end);
    end = slab.writeUInt32BE(bodyBytes, end);
    const flagsAt = end;
    end += 2;
    let flags = 0x2000 | 0x1000; // headers, delivery mode
    const { contentType, contentEncoding, priority, correlationId, expiration } = properties;
    const { messageId, timestamp, type, appId } = properties;
    if (contentType !== undefined) {
      flags |= 0x8000;
      end = writeText(slab, contentType, end);
    }
    if (contentEncoding !== undefined) {
      flags |= 0x4000;
      end = writeText(slab, contentEncoding, end);
    }
    if (headersEnd > 0) end += headerScratch.copy(slab, end, 0, headersEnd);
    else end = slab.writeUInt32BE(0, end);
    slab[end++] = 2; // persistent
    if (priority !== undefined) {
      flags |= 0x0800;
      end = slab.writeUInt8(priority, end);
    }
    if (correlationId !== undefined) {
      flags |= 0x0400;
      end = writeText(slab, correlationId, end);
    }
    if (expiration !== undefined) {
      flags |= 0x0100;
      end = writeText(slab, expiration, end);
    }
    if (messageId !== undefined) {
      flags |= 0x0080;
      end = writeText(slab, messageId, end);
    }
    if (timestamp !== undefined) {
      flags |= 0x0040;
      end = slab.writeUInt32BE(Math.floor(timestamp / 2 ** 32), end);
      end = slab.writeUInt32BE(timestamp >>> 0, end);
    }
    if (type !== undefined) {
      flags |= 0x0020;
      end = writeText(slab, type, end);
    }
    if (appId !== undefined) {
      flags |= 0x0008;
      end = writeText(slab, appId, end);
    }
    slab.writeUInt16BE(flags, flagsAt);
    this.#end = endFrame(slab, start, end);
  }

  #writeBody(body: Buffer): void {
    const { frameMax } = this.connection;
    const most = frameMax > frameOverhead ? frameMax - frameOverhead : body.length;
    if (body.length <= most) {
      if (body.length > 0) this.#writeBodyFrame(body);
      return;
    }
    for (let from = 0; from < body.length; from += most) {
      this.#writeBodyFrame(body.subarray(from, from + most));
    }
  }

  #writeBodyFrame(piece: Buffer): void {
    const long = piece.length > longBody;
    this.#makeRoom(frameOverhead + (long ? 0 : piece.length));
    const start = this.#end;
    this.#end = writeFrameStart(this.#slab, start, 3, this.channel);
    this.#slab.writeUInt32BE(piece.length, start + 3);
    if (!long) {
      this.#end += piece.copy(this.#slab, this.#end);
      this.#slab[this.#end++] = frameEnd;
      return;
    }
    // At once to its end: amqplib may write between two ticks, and a frame must be whole.
    const { stream } = this.connection;
    stream.cork();
    this.#send(piece);
    this.#slab[this.#end++] = frameEnd;
    this.#send();
    stream.uncork();
  }
}

/** Type, channel and room for the size. */
function writeFrameStart(into: Buffer, at: number, type: number, channel: number): number {
  into[at] = type;
  into[at + 1] = channel >>> 8;
  into[at + 2] = channel & 0xff;
  return at + 7;
}

/** Fills in the size and closes the frame. */
function endFrame(into: Buffer, start: number, end: number): number {
  into.writeUInt32BE(end - start - 7, start + 3);
  into[end] = frameEnd;
  return end + 1;
}

function writeText(into: Buffer, text: string, at: number): number {
  const bytes = into.write(text, at + 1, 'utf8');
  if (bytes > mostTextBytes) throw new TypeError(`"${text.slice(0, 40)}…" is longer than 255 bytes`);
  into[at] = bytes;
  return at + 1 + bytes;
}

function checkedText(what: string, text: string): string {
  if (typeof text === 'string' && Buffer.byteLength(text) <= mostTextBytes) return text;
  throw new TypeError(`${what} must be a text of at most 255 bytes`);
}

/** Of all texts together, in UTF-16 units; each has a byte for its length. */
function textLength(properties: MessageProperties): number {
  const { contentType, contentEncoding, correlationId, expiration, messageId, type, appId } = properties;
  return (
    lengthOf(contentType) +
    lengthOf(contentEncoding) +
    lengthOf(correlationId) +
    lengthOf(expiration) +
    lengthOf(messageId) +
    lengthOf(type) +
    lengthOf(appId)
  );
}

function lengthOf(text: string | undefined): number {
  if (text === undefined) return 0;
  if (typeof text !== 'string') throw new TypeError(`a property is ${typeof text}, not a text`);
  return text.length + 1;
}

function hasAny(headers: object | undefined): boolean {
  for (const name in headers) if (name) return true;
  return false;
}
