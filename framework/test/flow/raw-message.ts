import type { Channel } from 'amqplib';

interface RawChannel {
  ch: number;
  connection: { sendBytes(bytes: Buffer): void };
}

/**
 * Publishes a message whose header table is given as bytes, which no client library would write: what the broker takes,
 * consumers get.
 */
export function publishRaw(
  channel: Channel,
  to: { exchange: string; routingKey: string },
  message: { messageId: string; type: string; headers: Buffer; body: Buffer },
): void {
  const { ch, connection } = channel as unknown as RawChannel;
  const publish = Buffer.concat([
    Buffer.from([0, 60, 0, 40, 0, 0]), // basic.publish
    shortText(to.exchange),
    shortText(to.routingKey),
    Buffer.from([0]),
  ]);
  const header = Buffer.alloc(18);
  header.writeUInt16BE(60, 0);
  header.writeBigUInt64BE(BigInt(message.body.length), 4);
  header.writeUInt16BE((1 << 15) | (1 << 13) | (1 << 12) | (1 << 7) | (1 << 5), 12);
  const contentType = shortText('application/json');
  const table = Buffer.alloc(4);
  table.writeUInt32BE(message.headers.length);
  const properties = Buffer.concat([
    header.subarray(0, 14),
    contentType,
    table,
    message.headers,
    Buffer.from([2]), // delivery mode
    shortText(message.messageId),
    shortText(message.type),
  ]);
  connection.sendBytes(
    Buffer.concat([frame(1, ch, publish), frame(2, ch, properties), frame(3, ch, message.body)]),
  );
}

/** A header table with one list that holds one list that holds … */
export function nestedLists(depth: number): Buffer {
  const lists = Buffer.alloc(depth * 5);
  for (let i = 0; i < depth; i++) {
    lists.write('A', i * 5, 'latin1');
    lists.writeUInt32BE((depth - 1 - i) * 5, i * 5 + 1);
  }
  return Buffer.concat([shortText('deep'), lists]);
}

/** A header table with so many entries. */
export function manyEntries(count: number): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, (_, i) => Buffer.concat([shortText(`h${i}`), Buffer.from('t\x01')])),
  );
}

function frame(type: number, channel: number, payload: Buffer): Buffer {
  const start = Buffer.alloc(7);
  start.writeUInt8(type, 0);
  start.writeUInt16BE(channel, 1);
  start.writeUInt32BE(payload.length, 3);
  return Buffer.concat([start, payload, Buffer.from([0xce])]);
}

function shortText(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')]);
}
