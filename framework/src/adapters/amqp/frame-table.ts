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

/**
 * Reads an AMQP table, as amqplib does: timestamps and decimals, which JavaScript does not have, as `{ '!': type, value }`.
 * @throws TypeError, or RangeError where it is broken or nested too deep.
 */
export function readTable(from: Buffer, start: number, end: number): MessageHeaders {
  const headers: Record<string, unknown> = {};
  const cursor: Cursor = { from, at: start };
  while (cursor.at < end) {
    const name = readBytes(cursor, from.readUInt8(cursor.at++)).toString('utf8');
    headers[name] = readValue(cursor);
  }
  return headers as MessageHeaders;
}

interface Cursor {
  from: Buffer;
  at: number;
}

function readValue(cursor: Cursor): unknown {
  const { from } = cursor;
  const tag = String.fromCharCode(from.readUInt8(cursor.at++));
  const { at } = cursor;
  const size = fixedSize[tag];
  if (size !== undefined) cursor.at += size;
  switch (tag) {
    case 'S':
      return readBytes(cursor, readLength(cursor)).toString('utf8');
    case 'b':
      return from.readInt8(at);
    case 'B':
      return from.readUInt8(at);
    case 's':
      return from.readInt16BE(at);
    case 'u':
      return from.readUInt16BE(at);
    case 'I':
      return from.readInt32BE(at);
    case 'i':
      return from.readUInt32BE(at);
    case 'l':
      return Number(from.readBigInt64BE(at));
    case 'd':
      return from.readDoubleBE(at);
    case 'f':
      return from.readFloatBE(at);
    case 't':
      return from.readUInt8(at) !== 0;
    case 'V':
      return null;
    case 'T':
      return { '!': 'timestamp', value: Number(from.readBigUInt64BE(at)) };
    case 'D':
      return { '!': 'decimal', value: { places: from.readUInt8(at), digits: from.readUInt32BE(at + 1) } };
    case 'x':
      return readBytes(cursor, readLength(cursor));
    case 'F': {
      const end = readLength(cursor) + cursor.at;
      const table = readTable(from, cursor.at, end);
      cursor.at = end;
      return table;
    }
    case 'A': {
      const end = readLength(cursor) + cursor.at;
      const items: unknown[] = [];
      while (cursor.at < end) items.push(readValue(cursor));
      return items;
    }
    default:
      throw new TypeError(`Unexpected type tag "${tag}"`);
  }
}

const fixedSize: Record<string, number> = {
  b: 1, B: 1, s: 2, u: 2, I: 4, i: 4, l: 8, d: 8, f: 4, t: 1, V: 0, T: 8, D: 5,
}; // prettier-ignore

function readLength(cursor: Cursor): number {
  const length = cursor.from.readUInt32BE(cursor.at);
  cursor.at += 4;
  return length;
}

function readBytes(cursor: Cursor, length: number): Buffer {
  const bytes = cursor.from.subarray(cursor.at, cursor.at + length);
  if (bytes.length < length) throw new RangeError('a header goes beyond the end of its frame');
  cursor.at += length;
  return bytes;
}
