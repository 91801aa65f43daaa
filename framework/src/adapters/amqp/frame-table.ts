import type { HeaderValue, MessageHeaders } from '../../model/message.js';

/** All headers of a message must fit into this. Bytes, as amqplib and the broker have it. */
export const mostHeaderBytes = 65_536;

/**
 * Writes headers as an AMQP table, numbers and texts as amqplib does, and returns where it ends.
 * @throws RangeError when they don't fit; TypeError for a value that AMQP does not have.
 */
export function writeTable(into: Buffer, headers: MessageHeaders, start: number): number {
  let at = room(into, start, 4);
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    const length = Buffer.byteLength(name);
    if (length > 255) throw new TypeError(`the name of header "${name.slice(0, 40)}…" is too long`);
    at = room(into, at, 1 + length);
    into[at - length - 1] = length;
    into.write(name, at - length, 'utf8');
    at = writeValue(into, value, at);
  }
  into.writeUInt32BE(at - start - 4, start);
  return at;
}

function writeValue(into: Buffer, value: HeaderValue | Buffer, start: number): number {
  const tag = room(into, start, 1) - 1;
  let at = tag + 1;
  switch (typeof value) {
    case 'string': {
      const length = Buffer.byteLength(value);
      into[tag] = 0x53; // S
      at = room(into, at, 4 + length);
      into.writeUInt32BE(length, tag + 1);
      into.write(value, tag + 5, 'utf8');
      return at;
    }
    case 'number':
      return writeNumber(into, value, tag);
    case 'boolean':
      into[tag] = 0x74; // t
      at = room(into, at, 1);
      into[tag + 1] = value ? 1 : 0;
      return at;
    case 'object':
      if (value === null) {
        into[tag] = 0x56; // V
        return at;
      }
      if (Array.isArray(value)) {
        into[tag] = 0x41; // A
        at = room(into, at, 4);
        for (const item of value) at = writeValue(into, item, at);
        into.writeUInt32BE(at - tag - 5, tag + 1);
        return at;
      }
      if (Buffer.isBuffer(value)) {
        into[tag] = 0x78; // x
        at = room(into, at, 4 + value.length);
        into.writeUInt32BE(value.length, tag + 1);
        value.copy(into, tag + 5);
        return at;
      }
      if (Object.hasOwn(value, '!')) return writeTyped(into, value, tag);
      into[tag] = 0x46; // F
      return writeTable(into, value, at);
    default:
      throw new TypeError(`a header is of type ${typeof value}, which AMQP does not have`);
  }
}

function writeNumber(into: Buffer, value: number, tag: number): number {
  if (Number.isSafeInteger(value) || (Number.isInteger(value) && Math.abs(value) < 2 ** 63)) {
    if (value >= -0x80 && value < 0x80) {
      into[tag] = 0x62; // b
      const at = room(into, tag + 1, 1);
      into.writeInt8(value, tag + 1);
      return at;
    }
    if (value >= -0x8000 && value < 0x8000) {
      into[tag] = 0x73; // s
      const at = room(into, tag + 1, 2);
      into.writeInt16BE(value, tag + 1);
      return at;
    }
    if (value >= -0x80000000 && value < 0x80000000) {
      into[tag] = 0x49; // I
      const at = room(into, tag + 1, 4);
      into.writeInt32BE(value, tag + 1);
      return at;
    }
    into[tag] = 0x6c; // l
    const at = room(into, tag + 1, 8);
    into.writeBigInt64BE(BigInt(value), tag + 1);
    return at;
  }
  into[tag] = 0x64; // d
  const at = room(into, tag + 1, 8);
  into.writeDoubleBE(value, tag + 1);
  return at;
}

/** What amqplib reads as `{ '!': type, value }`, because JavaScript has no such type: kept when a message is copied. */
function writeTyped(into: Buffer, typed: { [key: string]: HeaderValue }, tag: number): number {
  const { value } = typed;
  if (typed['!'] === 'timestamp' && typeof value === 'number') {
    into[tag] = 0x54; // T
    const at = room(into, tag + 1, 8);
    into.writeBigUInt64BE(BigInt(value), tag + 1);
    return at;
  }
  if (typed['!'] === 'decimal' && value !== null && typeof value === 'object' && !Array.isArray(value)) {
    const { places, digits } = value as { places: number; digits: number };
    into[tag] = 0x44; // D
    const at = room(into, tag + 1, 5);
    into.writeUInt8(places, tag + 1);
    into.writeUInt32BE(digits, tag + 2);
    return at;
  }
  throw new TypeError(`a header has the type ${JSON.stringify(typed['!'])}, which AMQP does not have`);
}

/** Where `bytes` from `at` end. */
function room(into: Buffer, at: number, bytes: number): number {
  if (at + bytes <= into.length) return at + bytes;
  throw new RangeError(`headers exceed the ${into.length} bytes that they may have`);
}
