import { expect } from 'chai';
import { gzipSync } from 'node:zlib';
import { z } from 'zod';
import { type Contract, defineJob, defineQueue, type JobContext } from '../../../src/index.js';
import { header, mostBodyBytes, readEnvelope } from '../../../src/model/envelope.js';
import type { IncomingMessage, MessageProperties } from '../../../src/model/message.js';
import { deadQueue, jobsExchange } from '../../../src/model/topology.js';
import { createTestRail, type TestRail } from '../../../src/testing.js';
import { working } from '../../flow/working.js';

const queue = defineQueue('hostile');
const AnyPayload = defineJob('hostile.any', { queue, payload: z.any() });

describe('hostile input', () => {
  let rail: TestRail;
  let handled: unknown[];
  let contexts: JobContext[];

  afterEach(() => rail.close());

  /** Sends a message to a service of a contract and gives the headers of its dead letter, if it became one. */
  async function send(
    body: Buffer | string,
    {
      properties = {},
      contract = AnyPayload,
    }: { properties?: Partial<MessageProperties>; contract?: Contract } = {},
  ): Promise<MessageProperties['headers'] | undefined> {
    [handled, contexts] = [[], []];
    rail = await createTestRail({
      handlers: [working(contract, (payload, job) => void (handled.push(payload), contexts.push(job)))],
    });
    await rail.broker.publish({
      exchange: jobsExchange('test'),
      routingKey: contract.name,
      body: Buffer.from(body),
      properties: { type: contract.name, messageId: 'm', headers: {}, ...properties },
    });
    await rail.drain();
    return (await rail.broker.get(deadQueue('test', queue)))?.properties.headers;
  }

  describe('that is large', () => {
    it('is not read: a body of more than 16 MiB is a dead letter', async () => {
      const headers = await send(Buffer.alloc(mostBodyBytes + 1, ' '));
      expect(headers).to.include({ [header.deadReason]: 'unreadable' });
      expect(headers![header.errorMessage]).to.match(
        /^size in bytes of the message is 16777217, not at most 16777216/,
      );
      expect(rail.attempts).to.deep.equal([]);
    });

    it('is taken up to the limit', async () => {
      await send(Buffer.from(JSON.stringify('x'.repeat(mostBodyBytes - 2))));
      expect(handled).to.have.length(1);
    });

    it('is not unpacked: what is small only by compression is a dead letter', async () => {
      const body = gzipSync(JSON.stringify('x'.repeat(10_000_000)));
      for (const contentEncoding of ['gzip', 'deflate', 'br', 'GZIP']) {
        expect(await send(body, { properties: { contentEncoding } })).to.include({
          [header.deadReason]: 'unreadable',
        });
        await rail.close();
      }
      expect(await send(body)).to.include({ [header.deadReason]: 'invalid-payload' });
    });
  });

  describe('that is deep', () => {
    const nested = '['.repeat(500_000) + ']'.repeat(500_000);

    it('reaches a handler whose schema lets anything in', async () => {
      await send(nested);
      expect(handled).to.have.length(1);
    });

    it('is a dead letter where the schema overflows the stack on it', async () => {
      const contract = defineJob('hostile.deep', { queue, payload: z.json() });
      const headers = await send(nested, { contract });
      expect(headers).to.include({
        [header.deadReason]: 'invalid-payload',
        [header.errorName]: 'RangeError',
      });
    });
  });

  describe('that names __proto__', () => {
    const body = '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"to":"ada"}';
    afterEach(() => expect(({} as { admin?: boolean }).admin).to.equal(undefined));

    const schemas = {
      object: z.object({ to: z.string() }),
      looseObject: z.looseObject({ to: z.string() }),
      record: z.record(z.string(), z.unknown()),
      any: z.any(),
    };
    for (const [kind, payload] of Object.entries(schemas)) {
      it(`reaches a handler by ${kind} without becoming its prototype`, async () => {
        await send(body, { contract: defineJob('hostile.proto', { queue, payload }) });
        expect(handled).to.have.length(1);
        expect(handled[0]).to.have.property('to', 'ada');
        expect((handled[0] as { admin?: boolean }).admin).to.equal(undefined);
      });
    }

    it('in headers is not seen by a handler', async () => {
      const headers = JSON.parse('{"__proto__":{"admin":true},"tenant":"a"}') as MessageProperties['headers'];
      await send('{}', { properties: { headers } });
      expect((contexts[0]!.headers as { admin?: boolean }).admin).to.equal(undefined);
      expect(contexts[0]!.headers['tenant']).to.equal('a');
    });
  });
});

describe('a moment that no Date can hold', () => {
  const read = (properties: Partial<MessageProperties>) => {
    const message = { body: Buffer.from('{}'), properties: { messageId: 'm', headers: {}, ...properties } };
    return readEnvelope(message as IncomingMessage, 1_000, () => 'id');
  };

  for (const name of [header.enqueuedAt, header.dueAt, header.expiresAt]) {
    it(`makes a message unreadable in ${name}`, () => {
      expect(() => read({ headers: { [name]: 8.64e15 + 1 } })).to.throw(
        /is 8640000000000001, not a moment in milliseconds/,
      );
      expect(() => read({ headers: { [name]: 8.64e15 } })).to.not.throw();
    });
  }

  it('as the timestamp is as good as none', () => {
    expect(read({ timestamp: 2 ** 63 }).enqueuedAt).to.equal(1_000);
    expect(read({ timestamp: 5 }).enqueuedAt).to.equal(5_000);
  });
});
