import type { ChannelModel } from 'amqplib';
import { ContractError, toError } from '../../base/errors.js';
import type { MessageProperties } from '../../model/message.js';

interface FrameReader {
  /** What has been received and not yet been cut into frames. */
  rest: Buffer;
  recvFrame(): unknown;
}

/** A frame: type (1 byte), channel (2), size (4), payload, end mark (1). */
const frameOverhead = 8;
const headerFrameType = 2;

const reasons = new WeakMap<object, ContractError>();

/** Why the properties of a message could not be read, or undefined when they were. */
export function whyUnreadable(properties: object): ContractError | undefined {
  return reasons.get(properties);
}

/**
 * Lets a connection live on when the properties of a message cannot be decoded. Headers that are nested a few thousand
 * deep are legal AMQP and fit into a frame, but overflow the stack in amqplib, which then drops the connection with all
 * that is in hand; the message comes again, and drops the next one. Here such a message is delivered with empty
 * properties, about which `whyUnreadable` knows.
 * Reaches into amqplib, whose version is pinned; if its inside ever looks different, it behaves as it does by itself.
 */
export function surviveUnreadableProperties(model: ChannelModel): void {
  const reader = model.connection as unknown as Partial<FrameReader>;
  const receive = reader.recvFrame;
  if (typeof receive !== 'function' || !Buffer.isBuffer(reader.rest)) return;
  reader.recvFrame = () => {
    const before = reader.rest!;
    try {
      return receive.call(reader);
    } catch (error) {
      if (!isHeaderFrame(before) || before.length - reader.rest!.length !== frameLength(before)) throw error;
      return emptyHeader(before, error);
    }
  };
}

function isHeaderFrame(bytes: Buffer): boolean {
  return bytes.length > frameOverhead && bytes[0] === headerFrameType;
}

function frameLength(bytes: Buffer): number {
  return bytes.readUInt32BE(3) + frameOverhead;
}

/** The frame as amqplib would have decoded it, but for the properties. */
function emptyHeader(frame: Buffer, error: unknown) {
  const properties: MessageProperties = { headers: {} };
  reasons.set(
    properties,
    new ContractError(
      'JR_MESSAGE_UNREADABLE',
      `The properties of the message cannot be decoded: ${toError(error).message}.`,
      { mend: 'Look for the producer of the message; the dead letter has it as it came.' },
    ),
  );
  return {
    id: frame.readUInt16BE(7),
    channel: frame.readUInt16BE(1),
    size: Number(frame.readBigUInt64BE(11)),
    fields: properties,
  };
}
