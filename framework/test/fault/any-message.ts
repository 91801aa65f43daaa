import fc from 'fast-check';
import { header } from '../../src/model/envelope.js';
import type { HeaderValue, MessageProperties } from '../../src/model/message.js';

/*
 * Messages as anybody who can reach the broker may send them: from a job as it should be, over one with something odd
 * about it, to bytes without sense.
 */

const oddNames = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'CC',
  'BCC',
  'x-death',
  '!',
  '',
];
const brokerNames = [
  'x-delivery-count',
  'x-first-death-reason',
  'x-last-death-queue',
  'traceparent',
  'baggage',
];
const names = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...Object.values(header)) },
  { weight: 2, arbitrary: fc.constantFrom(...oddNames, ...brokerNames) },
  fc.string({ maxLength: 40 }),
);

/** What the decoder of amqplib can give. */
const { value } = fc.letrec<{ value: HeaderValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.double(),
    fc.maxSafeInteger(),
    fc.constantFrom(2 ** 63, -(2 ** 63), 8.64e15 + 1, -0, 1, 2, 3),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom('[{"attempt":1}]', '[null]', '"', '{}', '[1'),
    fc.uint8Array().map((bytes) => Buffer.from(bytes) as unknown as HeaderValue),
    fc.record({ '!': fc.constantFrom('timestamp', 'decimal', 'x'), value: fc.oneof(fc.nat(), fc.string()) }),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(names, tie('value'), { maxKeys: 3 }),
  ),
}));

const deep = fc.integer({ min: 1, max: 100 }).map((depth) => {
  let nested: HeaderValue = 1;
  for (let i = 0; i < depth; i++) nested = i % 2 ? [nested] : { nested };
  return nested;
});

const shortText = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 100 }),
  fc.constant(''),
);

/** @param contracts names that some of the messages have as their `type`. */
export function anyProperties(contracts: readonly string[]): fc.Arbitrary<MessageProperties> {
  const odd = fc.record(
    {
      messageId: fc.oneof(fc.uuid({ version: 7 }), shortText),
      type: fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom(...contracts) },
        shortText,
        fc.constantFrom(...oddNames),
      ),
      correlationId: shortText,
      timestamp: fc.oneof(fc.nat(), fc.maxSafeInteger().map(Math.abs), fc.constant(2 ** 64)),
      contentType: shortText,
      contentEncoding: fc.constantFrom('utf-8', 'utf-8', 'utf-8', 'gzip', 'br', ''),
      deliveryMode: fc.nat(2),
      priority: fc.nat(255),
      appId: shortText,
      expiration: fc.oneof(fc.constant('0'), fc.nat().map(String)),
      headers: fc.dictionary(names, fc.oneof({ weight: 9, arbitrary: value }, deep), { maxKeys: 4 }),
    },
    { requiredKeys: ['headers'] },
  );
  const plain = fc.record({
    messageId: fc.uuid(),
    type: fc.constantFrom(...contracts),
    headers: fc.constant({}),
  });
  return fc.oneof(odd, plain);
}

/** @param payloads JSON that some of the bodies are. */
export function anyBody(payloads: fc.Arbitrary<unknown>): fc.Arbitrary<Buffer> {
  const proper = payloads.map((payload) => Buffer.from(JSON.stringify(payload)));
  return fc.oneof(
    { weight: 8, arbitrary: proper },
    fc.json({ maxDepth: 4 }).map((json) => Buffer.from(json)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    proper.chain((body) => fc.nat(body.length).map((end) => body.subarray(0, end))),
    fc.integer({ min: 1, max: 2_000 }).map((depth) => Buffer.from('['.repeat(depth) + ']'.repeat(depth))),
    fc
      .constantFrom(
        '{"__proto__":{"polluted":true}}',
        '{"constructor":{"prototype":{"polluted":true}}}',
        '﻿{}',
        'NaN',
        '1e999',
      )
      .map((text) => Buffer.from(text)),
  );
}
