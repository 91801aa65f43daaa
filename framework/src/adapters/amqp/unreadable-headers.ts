import type { ChannelModel } from 'amqplib';
import { ContractError, toError } from '../../base/errors.js';

interface FrameReader {
  /** What has been received and not yet been cut into frames. */
  rest: Buffer;
  recvFrame(): { fields?: object } | false;
}

const reasons = new WeakMap<object, ContractError>();

/** Why the headers among the properties of a message could not be read, or undefined when they were. */
export function whyUnreadable(properties: object): ContractError | undefined {
  return reasons.get(properties);
}

/**
 * Lets a connection live on when the headers of a message cannot be decoded. Headers that are nested some thousands deep
 * are legal AMQP and fit into a frame, but overflow the stack in amqplib, which then drops the connection with all that
 * is in hand; the message comes again, and drops the next one. Here such a message is delivered without its headers,
 * about which `whyUnreadable` knows.
 * Reaches into amqplib, whose version is pinned; if its inside ever looks different, it behaves as it does by itself.
 */
export function surviveUnreadableHeaders(model: ChannelModel): void {
  const reader = model.connection as unknown as FrameReader;
  if (typeof reader.recvFrame !== 'function' || !Buffer.isBuffer(reader.rest)) return;
  const receive = reader.recvFrame.bind(reader);
  const receiveWithoutHeaders = (frame: Buffer, why: unknown) => {
    reader.rest = Buffer.concat([withoutHeaders(frame), reader.rest]);
    const received = receive();
    if (received && received.fields) reasons.set(received.fields, unreadableHeaders(why));
    return received;
  };
  reader.recvFrame = () => {
    const before = reader.rest;
    try {
      return receive();
    } catch (error) {
      const frame = before.subarray(0, before.length - reader.rest.length);
      if (!isHeaderFrame(frame)) throw error;
      return receiveWithoutHeaders(frame, error);
    }
  };
}

/** A frame: type (1 byte), channel (2), size (4), payload, end mark (1). */
const frameStart = 7;
const frameOverhead = frameStart + 1;
const headerFrame = 2;

/** Whether these bytes are a whole frame with the header of a message, properties of it in its payload. */
function isHeaderFrame(bytes: Buffer): boolean {
  return (
    bytes.length > frameOverhead &&
    bytes[0] === headerFrame &&
    bytes.readUInt32BE(3) + frameOverhead === bytes.length
  );
}

/** Of the flags that tell which properties are there, those of what stands before the headers, and theirs. */
const contentType = 1 << 15;
const contentEncoding = 1 << 14;
const headers = 1 << 13;

/** The same frame with an empty table of headers. Its payload: class (2), weight (2), size of the body (8), flags (2). */
function withoutHeaders(frame: Buffer): Buffer {
  const flags = frame.readUInt16BE(frameStart + 12);
  let at = frameStart + 14;
  for (const text of [contentType, contentEncoding]) if (flags & text) at += 1 + frame[at]!;
  if (!(flags & headers)) return frame;
  const tableEnd = at + 4 + frame.readUInt32BE(at);
  const shorter = Buffer.concat([frame.subarray(0, at), Buffer.alloc(4), frame.subarray(tableEnd)]);
  shorter.writeUInt32BE(shorter.length - frameOverhead, 3);
  return shorter;
}

/** The headers of a message could not be decoded. */
export function unreadableHeaders(why: unknown): ContractError {
  return new ContractError(
    'JR_MESSAGE_UNREADABLE',
    `The headers of the message cannot be decoded: ${toError(why).message}.`,
    { mend: 'Look for the producer of the message; its headers are lost, the rest is kept.' },
  );
}
