import { expect } from 'chai';
import fc from 'fast-check';
import { z } from 'zod';
import {
  ContractError,
  defineJob,
  defineQueue,
  Discard,
  Fatal,
  fixed,
  Retry,
  Snooze,
} from '../../src/index.js';
import { copyProperties, copyUnread, deadHeaders, header, userHeaders } from '../../src/model/envelope.js';
import { deadQueue, jobsExchange, laneQueue } from '../../src/model/topology.js';
import type { Delivery } from '../../src/ports/broker.js';
import type { JobRunner } from '../../src/runtime/held-job.js';
import { Intake } from '../../src/runtime/intake.js';
import { createTestRail, type TestRail } from '../../src/testing.js';
import { working } from '../flow/working.js';
import { anyBody, anyProperties } from './any-message.js';

const queue = defineQueue('any', { priorities: 3 });
const behaviours = ['return', 'throw', 'retry', 'snooze', 'discard', 'fatal', 'proto'] as const;
const payload = z.object({ does: z.enum(behaviours), data: z.record(z.string(), z.unknown()) });
const AnyJob = defineJob('any.job', { queue, payload });
const payloads = fc.record({
  does: fc.constantFrom(...behaviours),
  data: fc.dictionary(fc.string(), fc.jsonValue()),
});
const reasons = [
  'expired',
  'retries-exhausted',
  'fatal',
  'invalid-payload',
  'unknown-contract',
  'unreadable',
];

describe('any message that can be sent', function () {
  this.timeout(60_000);

  let rail: TestRail | undefined;
  afterEach(() => rail?.close());

  afterEach('nothing is polluted', () => {
    expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined);
    expect(Object.keys(Object.prototype)).to.deep.equal([]);
  });

  it('is read as a job with sound values, or refused with a reason (10,000 cases)', () => {
    const executor = { handler: { contract: AnyJob, bindings: [] } } as unknown as JobRunner;
    const intake = new Intake(queue, 'test', [executor]);
    const now = Date.UTC(2030, 0, 1);
    let jobs = 0;
    let refusals = 0;
    fc.assert(
      fc.property(anyProperties([AnyJob.name]), anyBody(payloads), (properties, body) => {
        const message = {
          queue: laneQueue('test', queue, 1),
          exchange: 'test.jobs',
          routingKey: 'any.job',
          redelivered: false,
          properties,
          body,
        };
        const read = intake.read(message as unknown as Delivery, now);
        if ('refused' in read) {
          refusals++;
          expect(read.refused).to.be.oneOf(['unreadable', 'unknown-contract']);
          expect(read.error).to.be.instanceOf(ContractError);
          soundHeaders(copyUnread(message, deadHeaders(read.refused, read.error, now)).headers);
          return;
        }
        jobs++;
        const { id, rootId, attempt, hops, enqueuedAt, dueAt, expiresAt } = read.envelope;
        expect([id, rootId].every((text) => typeof text === 'string' && text !== '')).to.equal(true);
        expect(
          Number.isSafeInteger(attempt) && attempt >= 1 && Number.isSafeInteger(hops) && hops >= 0,
        ).to.equal(true);
        for (const moment of [enqueuedAt, dueAt ?? 0, expiresAt ?? 0])
          expect(new Date(moment).getTime()).to.equal(moment);
        expect(read.priority).to.equal(1);
        soundHeaders(copyProperties(message, read.envelope, {}).headers);
        expect(
          Object.keys(userHeaders(properties.headers)).filter((name) => name.startsWith('x-')),
        ).to.deep.equal([]);
      }),
      { numRuns: 10_000 },
    );
    expect(Math.min(jobs, refusals), 'of each kind').to.be.above(1_000);
  });

  /** What a copy may not carry on. */
  function soundHeaders(headers: object): void {
    expect(Object.getPrototypeOf(headers)).to.equal(Object.prototype);
    for (const name of ['CC', 'BCC', 'x-death', 'x-delivery-count'])
      expect(headers).to.not.have.property(name);
  }

  it('on its way through a service ends as a run or as a dead letter (10,000 messages)', async () => {
    rail = await createTestRail({
      handlers: [working(AnyJob, ({ does }) => act(does), { retry: fixed({ attempts: 2, every: '1s' }) })],
    });
    const sent = fc.record({
      properties: anyProperties([AnyJob.name]),
      body: anyBody(payloads),
      straight: fc.boolean(),
      priority: fc.nat(2),
    });
    const kinds = { run: 0, dead: 0 };
    const seed = Date.now();
    const messages = fc.sample(sent, { numRuns: 10_000, seed });
    for (let i = 0; i < messages.length; i += 100) {
      const batch = messages.slice(i, i + 100);
      const { clock, broker } = rail;
      await Promise.all(
        batch.map(({ properties, body, straight, priority }) => {
          soonDue(properties.headers, clock.now());
          const to = straight
            ? { exchange: '', routingKey: laneQueue('test', queue, priority) }
            : { exchange: jobsExchange('test'), routingKey: AnyJob.name };
          return broker.publish({ ...to, properties, body });
        }),
      );
      await rail.drain();
      kinds.run += rail.attempts.filter(({ outcome }) =>
        ['completed', 'discard', 'expired'].includes(outcome.kind),
      ).length;
      kinds.dead += await deadLetters(rail);
      rail.attempts.length = 0;
    }
    const left = [...rail.broker.node.counts()].filter(([, { ready, unacked }]) => ready + unacked > 0);
    expect(left, `left on queues, with seed ${seed}`).to.deep.equal([]);
    expect(kinds.run + kinds.dead, `ended, with seed ${seed}`).to.equal(10_000);
    expect(Math.min(kinds.run, kinds.dead), 'of each kind').to.be.above(500);
  });

  /** Takes the dead letters, each of which must say why. */
  async function deadLetters(rail: TestRail): Promise<number> {
    const name = deadQueue('test', queue);
    for (let count = 0; ; count++) {
      const letter = await rail.broker.get(name);
      if (!letter) return count;
      letter.ack();
      const { headers } = letter.properties;
      // The broker itself ends what its sender gave too short a time to live; a sender may write what it likes as well.
      const [death] = (headers['x-death'] ?? []) as { reason: string }[];
      expect(reasons.includes(headers[header.deadReason] as string) || death?.reason === 'expired').to.equal(
        true,
      );
    }
  }
});

/** A job that is due in years is no error; a test waits for those of a minute only. */
function soonDue(headers: Record<string, unknown>, now: number): void {
  const dueAt = headers[header.dueAt];
  if (typeof dueAt === 'number' && dueAt > now) headers[header.dueAt] = now + (dueAt % 60_000);
}

let snoozed = false;

function act(does: (typeof behaviours)[number]): unknown {
  switch (does) {
    case 'throw':
      throw new Error('amqp://user:secret@host');
    case 'retry':
      throw new Retry({ in: 1 });
    case 'snooze':
      snoozed = !snoozed;
      if (snoozed) throw new Snooze({ in: '2s' });
      return undefined;
    case 'discard':
      throw new Discard('not wanted');
    case 'fatal':
      throw new Fatal('no');
    case 'proto':
      return JSON.parse('{"__proto__":{"polluted":true}}') as unknown;
    case 'return':
      return undefined;
  }
}
