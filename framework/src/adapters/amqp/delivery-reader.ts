import type { Channel, ChannelModel } from 'amqplib';
import { toError } from '../../base/errors.js';
import type { MessageProperties } from '../../model/message.js';
import { readTable } from './frame-table.js';
import { unreadableHeaders } from './unreadable-headers.js';

/** What amqplib keeps for a connection. */
interface Inside {
  /** What has been received and not yet been cut into frames. */
  rest: Buffer;
  stream: { read(): Buffer | null };
  recvSinceLastCheck: boolean;
  recvFrame(): unknown;
}

/** Takes a delivery of its channel, whose parts it finds in the reader; false when it knows no such consumer. */
export type DeliverySink = (reader: DeliveryReader) => boolean;

/** A message with a longer body goes by amqplib, which waits for a frame without copying what is there again and again. */
const longestBody = 65_536;

const incomplete = -1;
const other = -2;
const frameEnd = 0xce;
const basicDeliver = (60 << 16) | 60;

const readers = new WeakMap<object, DeliveryReader>();

/**
 * Reads deliveries off a connection and hands them to the sink of their channel.
 *
 * amqplib makes some thirty objects and buffers of each delivery before a consumer sees it. A delivery is three frames in
 * a row, and where they are here in whole this makes of them what is needed and nothing else. Everything else (other
 * methods, channels without a sink, long bodies) goes by amqplib, frame by frame, which then gives it to its own consumer.
 * Reaches into amqplib, whose version is pinned; if its inside ever looks different, all goes by amqplib.
 */
export class DeliveryReader {
  consumerTag = '';
  deliveryTag = 0;
  redelivered = false;
  exchange = '';
  routingKey = '';
  body: Buffer = Buffer.alloc(0);
  properties: MessageProperties = { headers: {} };
  unreadable: Error | undefined;
  readonly #sinks = new Map<number, DeliverySink>();
  readonly #texts = {
    consumerTag: new RepeatedText(),
    exchange: new RepeatedText(),
    routingKey: new RepeatedText(),
    contentType: new RepeatedText(),
    type: new RepeatedText(),
    appId: new RepeatedText(),
  };

  static install(model: ChannelModel): void {
    const inside = model.connection as unknown as Partial<Inside>;
    if (typeof inside.recvFrame !== 'function' || !Buffer.isBuffer(inside.rest)) return;
    if (typeof inside.stream?.read !== 'function') return;
    readers.set(inside, new DeliveryReader(inside as Inside));
  }

  /** Hands the deliveries of a channel to `sink` from now on; returns what ends it. */
  static attach(channel: Channel, sink: DeliverySink): () => void {
    const { ch, connection } = channel as unknown as { ch?: number; connection: object };
    const reader = readers.get(connection);
    if (!reader || typeof ch !== 'number') return () => undefined;
    reader.#sinks.set(ch, sink);
    return () => {
      if (reader.#sinks.get(ch) === sink) reader.#sinks.delete(ch);
    };
  }

  private constructor(inside: Inside) {
    const receive = inside.recvFrame.bind(inside);
    inside.recvFrame = () => {
      for (;;) {
        if (this.#readAll(inside) === other) return receive();
        const incoming = inside.stream.read();
        if (incoming === null) return false;
        inside.recvSinceLastCheck = true;
        inside.rest = inside.rest.length === 0 ? incoming : Buffer.concat([inside.rest, incoming]);
      }
    };
  }

  /** Hands on the deliveries that are here; returns why it stopped. */
  #readAll(inside: Inside): number {
    const { rest } = inside;
    let at = 0;
    try {
      for (;;) {
        const next = this.#read(rest, at);
        if (next < 0) return next;
        at = next;
      }
    } finally {
      if (at > 0) inside.rest = rest.subarray(at);
    }
  }

  /** Hands on the delivery at this place and returns where it ends. */
  #read(from: Buffer, at: number): number {
    const { length } = from;
    // The method: type, channel, size, class and method, and so on.
    if (at + 11 > length) return at < length && from[at] !== 1 ? other : incomplete;
    if (from[at] !== 1) return other;
    const channel = from[at + 1]! * 256 + from[at + 2]!;
    const sink = this.#sinks.get(channel);
    if (!sink || uint32(from, at + 7) !== basicDeliver) return other;
    // The header: type, channel, size, class, weight, size of the body, properties.
    const header = at + 8 + uint32(from, at + 3);
    if (header + 21 > length) return incomplete;
    if (from[header - 1] !== frameEnd || !isFrame(from, header, 2, channel)) return other;
    const body = header + 8 + uint32(from, header + 3);
    const bodyBytes = uint32(from, header + 15);
    if (bodyBytes > longestBody || uint32(from, header + 11) > 0) return other;
    // The body: type, channel, size, bytes.
    const end = bodyBytes === 0 ? body : body + 8 + bodyBytes;
    if (end > length) return body > at + 2 * longestBody ? other : incomplete;
    if (from[body - 1] !== frameEnd || from[end - 1] !== frameEnd) return other;
    if (bodyBytes > 0 && (!isFrame(from, body, 3, channel) || uint32(from, body + 3) !== bodyBytes))
      return other;
    this.#readMethod(from, at + 11);
    this.#readProperties(from, header + 19, body - 1);
    this.body = from.subarray(body + 7, body + 7 + bodyBytes);
    return sink(this) ? end : other;
  }

  #readMethod(from: Buffer, start: number): void {
    const { consumerTag, exchange, routingKey } = this.#texts;
    let at = start;
    this.consumerTag = consumerTag.read(from, at);
    at += 1 + from[at]!;
    this.deliveryTag = uint32(from, at) * 2 ** 32 + uint32(from, at + 4);
    this.redelivered = (from[at + 8]! & 1) === 1;
    at += 9;
    this.exchange = exchange.read(from, at);
    at += 1 + from[at]!;
    this.routingKey = routingKey.read(from, at);
  }

  #readProperties(from: Buffer, start: number, end: number): void {
    const flags = from[start]! * 256 + from[start + 1]!;
    let at = start + 2;
    let contentType, contentEncoding, deliveryMode, priority, correlationId, expiration, messageId, timestamp;
    let type, appId, replyTo;
    let headers: MessageProperties['headers'] | undefined;
    this.unreadable = undefined;
    if (flags & 0x8000) {
      contentType = this.#texts.contentType.read(from, at);
      at += 1 + from[at]!;
    }
    if (flags & 0x4000) {
      contentEncoding = text(from, at);
      at += 1 + from[at]!;
    }
    if (flags & 0x2000) {
      const bytes = uint32(from, at);
      if (bytes > 0) headers = this.#readHeaders(from, at + 4, Math.min(end, at + 4 + bytes));
      at += 4 + bytes;
    }
    if (flags & 0x1000) deliveryMode = from[at++];
    if (flags & 0x0800) priority = from[at++];
    let correlationAt = 0;
    if (flags & 0x0400) {
      correlationAt = at;
      at += 1 + from[at]!;
    }
    if (flags & 0x0200) {
      replyTo = text(from, at);
      at += 1 + from[at]!;
    }
    if (flags & 0x0100) {
      expiration = text(from, at);
      at += 1 + from[at]!;
    }
    if (flags & 0x0080) {
      messageId = text(from, at);
      // A job that no other has enqueued is the root of its own.
      if (correlationAt > 0 && sameText(from, correlationAt, at)) correlationId = messageId;
      at += 1 + from[at]!;
    }
    if (correlationAt > 0) correlationId ??= text(from, correlationAt);
    if (flags & 0x0040) {
      timestamp = uint32(from, at) * 2 ** 32 + uint32(from, at + 4);
      at += 8;
    }
    if (flags & 0x0020) {
      type = this.#texts.type.read(from, at);
      at += 1 + from[at]!;
    }
    if (flags & 0x0010) at += 1 + from[at]!; // user-id
    if (flags & 0x0008) appId = this.#texts.appId.read(from, at);
    headers ??= {};
    this.properties = {
      contentType, contentEncoding, headers, deliveryMode, priority, correlationId, expiration, messageId, timestamp, type, appId,
      ...(replyTo !== undefined && { replyTo }),
    }; // prettier-ignore
  }

  #readHeaders(from: Buffer, start: number, end: number): MessageProperties['headers'] | undefined {
    try {
      return readTable(from, start, end);
    } catch (error) {
      this.unreadable = unreadableHeaders(toError(error));
      return undefined;
    }
  }
}

/** A text that is most often the same as the last time, in which case no new one is made. */
class RepeatedText {
  readonly #bytes = new Uint8Array(256);
  #text = '';

  /** @param at where its length stands. */
  read(from: Buffer, at: number): string {
    const bytes = this.#bytes;
    const length = from[at]!;
    for (let i = 0; i <= length; i++) if (bytes[i] !== from[at + i]) return this.#learn(from, at, length);
    return this.#text;
  }

  #learn(from: Buffer, at: number, length: number): string {
    this.#bytes.set(from.subarray(at, at + 1 + length));
    this.#text = from.toString('utf8', at + 1, at + 1 + length);
    return this.#text;
  }
}

function text(from: Buffer, at: number): string {
  return from.toString('utf8', at + 1, at + 1 + from[at]!);
}

function sameText(from: Buffer, one: number, two: number): boolean {
  const length = from[one]!;
  for (let i = 0; i <= length; i++) if (from[one + i] !== from[two + i]) return false;
  return true;
}

function isFrame(from: Buffer, at: number, type: number, channel: number): boolean {
  return from[at] === type && from[at + 1]! * 256 + from[at + 2]! === channel;
}

function uint32(from: Buffer, at: number): number {
  return from[at]! * 0x1000000 + ((from[at + 1]! << 16) | (from[at + 2]! << 8) | from[at + 3]!);
}
