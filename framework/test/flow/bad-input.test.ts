import { expect } from 'chai';
import type { Options } from 'amqplib';
import { defineJob, defineQueue } from '../../src/index.js';
import { z } from 'zod';
import { header } from '../../src/model/envelope.js';
import { deadQueue, jobsExchange, laneQueue } from '../../src/model/topology.js';
import { createTestRail } from '../../src/testing.js';
import { rejection } from '../contract/rejection.js';
import { useStage } from './stage.js';
import { lone, working } from './working.js';

describe('bad input', () => {
  const stage = useStage();

  describe('on a queue becomes a dead letter with its reason, once, and the next job runs:', () => {
    /** Sends a message that is wrong and a job that is not; gives the headers of the dead letter. */
    async function deadLetterOf(name: string, body: string | Buffer, properties: Options.Publish) {
      const contract = lone(name);
      const dead = await stage.deadLetters(contract);
      const service = await stage.start({ handlers: [working(contract, () => undefined)] });
      const channel = await stage.channel();
      channel.publish(jobsExchange(stage.prefix), contract.name, Buffer.from(body), {
        messageId: 'wrong',
        type: contract.name,
        deliveryMode: 2,
        ...properties,
      });
      const letter = await dead.one();
      const { id } = await stage.client.enqueue(contract, { note: 'right' });
      await stage.signals.first({ what: 'ended', id, outcome: 'completed' });
      await service.stop();
      expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0)), 'left on the queue').to.equal(0);
      expect(dead.all, 'dead letters').to.have.length(1);
      expect(letter.body).to.deep.equal(Buffer.from(body));
      expect(letter.properties.messageId).to.equal(properties.messageId ?? 'wrong');
      return letter.properties;
    }

    it('a body that is not JSON', async () => {
      const { headers } = await deadLetterOf('bad-json', '<job/>', {});
      expect(headers).to.include({ [header.deadReason]: 'invalid-payload' });
      expect(headers[header.errorMessage]).to.match(/The body of the message is no JSON \(6 bytes\)/);
    });

    it('an empty body', async () => {
      const { headers } = await deadLetterOf('bad-empty', '', {});
      expect(headers).to.include({ [header.deadReason]: 'invalid-payload' });
    });

    it('a body of bytes that are no text', async () => {
      const { headers } = await deadLetterOf('bad-bytes', Buffer.from([0xff, 0x00, 0xfe]), {});
      expect(headers).to.include({ [header.deadReason]: 'invalid-payload' });
    });

    it('a payload of the wrong shape', async () => {
      const { headers } = await deadLetterOf('bad-shape', '{"note":7}', {});
      expect(headers).to.include({ [header.deadReason]: 'invalid-payload' });
      expect(headers[header.errorMessage]).to.match(/note: .*string/i);
    });

    it('a contract that the service has no handler for', async () => {
      const { headers, type } = await deadLetterOf('bad-contract', '{}', { type: 'email.sned' });
      expect(type).to.equal('email.sned');
      expect(headers).to.include({ [header.deadReason]: 'unknown-contract' });
      expect(headers[header.errorMessage]).to.match(
        /Queue "bad-contract" has a job of contract "email\.sned"/,
      );
    });

    it('no contract at all', async () => {
      const { headers } = await deadLetterOf('bad-untyped', '{}', { type: undefined });
      expect(headers).to.include({ [header.deadReason]: 'unknown-contract' });
    });

    it('a compressed body', async () => {
      const { headers } = await deadLetterOf('bad-gzip', 'x', { contentEncoding: 'gzip' });
      expect(headers).to.include({ [header.deadReason]: 'unreadable' });
      expect(headers[header.errorMessage]).to.match(/content_encoding of the message is "gzip"/);
    });

    const malformed: [string, unknown][] = [
      [header.attempt, 'two'],
      [header.attempt, 0],
      [header.attempt, 1.5],
      [header.dueAt, 'tomorrow'],
      [header.dueAt, true],
      [header.expiresAt, -5],
      [header.hops, [1]],
      [header.hops, { deep: 1 }],
      [header.causation, 12],
      [header.enqueuedAt, null],
    ];
    for (const [i, [name, value]] of malformed.entries()) {
      it(`the header ${name} with ${JSON.stringify(value)}`, async () => {
        const { headers } = await deadLetterOf(`bad-header-${i}`, '{"note":""}', {
          headers: { [name]: value },
        });
        expect(headers).to.include({ [header.deadReason]: 'unreadable' });
        expect(headers[header.errorMessage]).to.include(`${name} of the message is ${JSON.stringify(value)}`);
      });
    }

    it('an unreadable message whose time to live would end it among the dead letters too', async () => {
      const { headers, expiration } = await deadLetterOf('bad-expiring', 'x', {
        expiration: '60000',
        headers: { [header.attempt]: 'x', 'x-death': [{ queue: 'elsewhere', reason: 'expired', count: 1 }] },
      });
      expect(expiration).to.equal(undefined);
      expect(headers).to.not.have.property('x-death');
      expect(headers).to.include({ [header.deadReason]: 'unreadable', [header.attempt]: 'x' });
    });
  });

  it('history that is spoilt does not stop a job', async () => {
    const contract = lone('bad-history');
    await stage.start({ handlers: [working(contract, () => undefined)] });
    await stage.rail.broker.publish({
      exchange: jobsExchange(stage.prefix),
      routingKey: contract.name,
      body: Buffer.from('{"note":""}'),
      properties: { messageId: 'h', type: contract.name, headers: { [header.attempts]: '[{"broken' } },
    });
    await stage.signals.first({ what: 'ended', id: 'h', outcome: 'completed' });
  });

  describe('at enqueue is refused:', () => {
    it('a payload of 20 MB, naming the limit and the way out', async () => {
      const contract = lone('bad-large');
      const error = await rejection(stage.client.enqueue(contract, { note: 'x'.repeat(20_000_000) }));
      expect(error).to.have.property('code', 'JR_PAYLOAD_TOO_LARGE');
      expect(error.message).to.match(/"bad-large" has 2000001\d bytes; the limit is 1048576\./);
      expect(error)
        .to.have.property('mend')
        .that.matches(/storage and send its key/);
      expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(undefined);
    });

    it('a limit above what a broker takes', () => {
      const options = { maxPayloadBytes: 20_000_000 };
      expect(() => stage.newClient(options)).to.throw(/maxPayloadBytes is 20000000\. .*15728640/);
    });

    it('a payload of 10 MB is sent when the limit is raised', async () => {
      const contract = lone('bad-raised');
      const client = stage.newClient({ maxPayloadBytes: 11_000_000 });
      await client.enqueue(contract, { note: 'x'.repeat(10_000_000) });
      await stage.start({
        handlers: [working(contract, ({ note }) => stage.signals.tell('length', note.length))],
      });
      await stage.signals.first({ what: 'length', detail: 10_000_000 });
    });

    it('what JSON cannot hold', async () => {
      const contract = defineJob('bad-json-out', { queue: defineQueue('bad-json-out'), payload: z.any() });
      const circle: Record<string, unknown> = {};
      circle['self'] = circle;
      for (const payload of [circle, { big: 1n }, undefined, () => 1]) {
        const error = await rejection(stage.client.enqueue(contract, payload));
        expect(error).to.have.property('code', 'JR_PAYLOAD_NOT_JSON');
        expect(error.message).to.match(/payload of "bad-json-out" cannot be written as JSON/);
      }
    });

    it('headers that no AMQP frame can hold, without losing the connection', async () => {
      const contract = lone('bad-headers');
      await stage.client.enqueue(contract, { note: 'before' });
      const error = await rejection(
        stage.client.enqueue(contract, { note: '' }, { headers: { log: 'x'.repeat(200_000) } }),
      );
      expect(error).to.have.property('code', 'JR_OPTION_INVALID');
      expect(error.message).to.match(/headers of enqueue\("bad-headers"\) take 2000\d\d bytes/);
      await stage.client.enqueue(contract, { note: 'after' });
      expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(2);
    });
  });

  describe('a circle of child jobs', () => {
    const ping = lone('circle-ping');
    const pong = lone('circle-pong');

    it('ends after 100 as a dead letter that says so', async () => {
      const rail = await createTestRail({
        handlers: [
          working(ping, (payload, job) => job.enqueue(pong, payload)),
          working(pong, (payload, job) => job.enqueue(ping, payload)),
        ],
      });
      await rail.enqueue(ping, { note: 'round' });
      await rail.drain();
      expect(rail.completed).to.have.length(100);
      expect(rail.dead).to.have.length(1);
      const { outcome } = rail.dead[0]!;
      expect(outcome).to.have.property('reason', 'fatal');
      expect(outcome).to.have.nested.property('error.code', 'JR_CIRCLE');
      await rail.close();
    });

    it('does so on RabbitMQ too, and is not retried', async () => {
      const contract = lone('circle-deep');
      const dead = await stage.deadLetters(contract);
      await stage.start({
        handlers: [working(contract, (payload, job) => job.enqueue(contract, payload))],
      });
      await stage.rail.broker.publish({
        exchange: jobsExchange(stage.prefix),
        routingKey: contract.name,
        body: Buffer.from('{"note":""}'),
        properties: { messageId: 'deep', type: contract.name, headers: { [header.hops]: 99 } },
      });
      const { headers } = (await dead.one()).properties;
      expect(headers).to.include({ [header.deadReason]: 'fatal', [header.hops]: 100 });
      expect(headers[header.causation]).to.equal('deep');
      expect(headers[header.errorMessage]).to.match(/is 100 child jobs deep and enqueues "circle-deep"/);
      expect(stage.signals.of({ what: 'began' })).to.have.length(2);
      expect(await stage.ready(deadQueue(stage.prefix, contract.queue))).to.equal(0);
    });
  });
});
