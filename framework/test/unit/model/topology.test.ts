import { expect } from 'chai';
import { z } from 'zod';
import { brokerFeatures } from '../../../src/model/broker-features.js';
import { defineJob, defineQueue } from '../../../src/model/contract.js';
import { levels, radix, routeDelay } from '../../../src/model/delay.js';
import {
  deadQueue,
  delayPath,
  jobRoutingKey,
  jobsTopology,
  laneQueue,
  laneToken,
  lanesOf,
  mergeTopologies,
  type Topology,
  unroutable,
  wholeDelayNet,
  withoutTopology,
} from '../../../src/model/topology.js';

const payload = z.object({});
const email = defineQueue('email', { priorities: 3 });
const media = defineQueue('media');
const old = defineQueue('old', { type: 'classic', maxPriority: 9 });
const SendEmail = defineJob('email.send', { queue: email, payload });
const Resize = defineJob('media.resize', { queue: media, payload });
const Legacy = defineJob('legacy.work', { queue: old, payload });

const argumentsOf = ({ queues }: Topology, name: string) =>
  queues.find((queue) => queue.name === name)?.arguments;

/** Everything a plan refers to is also in it. */
function expectComplete({ exchanges, queues, bindings }: Topology): void {
  const known = { exchanges: exchanges.map(({ name }) => name), queues: queues.map(({ name }) => name) };
  for (const { source, queue, exchange } of bindings) {
    expect(known.exchanges).to.include(source);
    if (exchange !== undefined) expect(known.exchanges).to.include(exchange);
    else expect(known.queues).to.include(queue);
  }
  for (const { alternate } of exchanges)
    if (alternate !== undefined) expect(known.exchanges).to.include(alternate);
  for (const { arguments: args } of queues) {
    if (args['x-dead-letter-exchange'] !== undefined)
      expect(known.exchanges).to.include(args['x-dead-letter-exchange']);
  }
}

describe('lanes', () => {
  it('has a queue for each priority, the least urgent first', () => {
    expect(lanesOf('p', email)).to.deep.equal([
      { priority: 0, name: 'p.email', token: 'email' },
      { priority: 1, name: 'p.email.p1', token: 'email~p1' },
      { priority: 2, name: 'p.email.p2', token: 'email~p2' },
    ]);
  });

  it('has one queue for all priorities of a classic queue', () => {
    expect(lanesOf('p', old)).to.deep.equal([{ priority: 0, name: 'p.old', token: 'old' }]);
    expect(laneQueue('p', old, 5)).to.equal('p.old');
    expect(laneToken(old, 5)).to.equal('old');
    expect(jobRoutingKey(Legacy, 5)).to.equal('legacy.work');
  });

  it('puts the priority into the routing key of a job', () => {
    expect(jobRoutingKey(SendEmail, 0)).to.equal('email.send');
    expect(jobRoutingKey(SendEmail, 2)).to.equal('email.send.p2');
  });
});

describe('jobsTopology', () => {
  const plan = jobsTopology('p', [SendEmail, Resize, Legacy]);

  it('refers to nothing that it does not declare', () => {
    expectComplete(plan);
    expectComplete(jobsTopology('p', []));
  });

  it('leads each priority of a contract to its lane', () => {
    const jobs = plan.bindings.filter(({ source }) => source === 'p.jobs');
    expect(jobs.map(({ routingKey, queue }) => [routingKey, queue])).to.deep.equal([
      ['email.send', 'p.email'],
      ['email.send.p1', 'p.email.p1'],
      ['email.send.p2', 'p.email.p2'],
      ['media.resize', 'p.media'],
      ['legacy.work', 'p.old'],
    ]);
  });

  it('gives the jobs exchange no alternate, so that what is unroutable is returned to its producer', () => {
    expect(plan.exchanges.find(({ name }) => name === 'p.jobs')).to.deep.equal({
      name: 'p.jobs',
      type: 'topic',
    });
  });

  it('keeps what the other exchanges cannot route', () => {
    for (const { name, alternate } of plan.exchanges) {
      if (name !== 'p.jobs' && name !== unroutable('p')) expect(alternate, name).to.equal(unroutable('p'));
    }
  });

  it('dead-letters each lane without loss to the dead letters of its queue', () => {
    for (const lane of ['p.email', 'p.email.p1', 'p.email.p2']) {
      expect(argumentsOf(plan, lane)).to.include({
        'x-queue-type': 'quorum',
        'x-dead-letter-exchange': 'p.dead',
        'x-dead-letter-routing-key': 'email',
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      });
    }
    expect(plan.bindings).to.deep.include({
      source: 'p.dead',
      routingKey: 'email',
      queue: deadQueue('p', email),
    });
    expect(argumentsOf(plan, deadQueue('p', email))).to.deep.equal({
      'x-queue-type': 'quorum',
      'x-delivery-limit': 2 ** 31 - 1,
    });
  });

  it('gives a classic queue its priorities, and nothing that only quorum queues know', () => {
    expect(argumentsOf(plan, 'p.old')).to.deep.equal({
      'x-queue-type': 'classic',
      'x-dead-letter-exchange': 'p.dead',
      'x-dead-letter-routing-key': 'old',
      'x-max-priority': 9,
    });
    const plain = jobsTopology('p', [
      defineJob('x', { queue: defineQueue('plain', { type: 'classic' }), payload }),
    ]);
    expect(argumentsOf(plain, 'p.plain')).not.to.have.property('x-max-priority');
  });

  it('declares a queue once that two contracts share', () => {
    const shared = jobsTopology('p', [SendEmail, defineJob('email.bounce', { queue: email, payload })]);
    expect(shared.queues.filter(({ name }) => name === 'p.email')).to.have.length(1);
    expect(shared.bindings.filter(({ queue }) => queue === 'p.email')).to.have.length(3);
  });

  it('sets the ack timeout of a queue where the broker knows it by queue', () => {
    const slow = defineJob('slow.work', { queue: defineQueue('slow', { ackTimeout: '2h' }), payload });
    const timeoutOn = (version: string) =>
      argumentsOf(jobsTopology('p', [slow], brokerFeatures(version)), 'p.slow')?.['x-consumer-timeout'];
    expect(timeoutOn('3.10.8')).to.equal(undefined);
    expect(timeoutOn('3.12.0')).to.equal(7_200_000);
    expect(timeoutOn('4.3.6')).to.equal(7_200_000);
  });

  it('sets none on a classic queue since 4.3, which refuses it, but on the suspects of that queue', () => {
    const queue = defineQueue('slow', { type: 'classic', ackTimeout: '2h' });
    const slow = defineJob('slow.work', { queue, payload });
    const timeoutOn = (version: string, name: string) =>
      argumentsOf(jobsTopology('p', [slow], brokerFeatures(version)), name)?.['x-consumer-timeout'];
    expect(timeoutOn('4.2.0', 'p.slow')).to.equal(7_200_000);
    expect(timeoutOn('4.3.0', 'p.slow')).to.equal(undefined);
    expect(timeoutOn('4.3.0', 'p.slow.suspects')).to.equal(7_200_000);
  });
});

describe('delayPath', () => {
  it('enters at the level of the highest digit and has all that is on the way', () => {
    const path = delayPath('p', routeDelay(16 * 256 + 2 * 256 + 150)!, 'email~p1');
    expect(path).to.include({ exchange: 'p.delay.1', routingKey: '0.0.0.0.0.1.2.email~p1' });
    expectComplete(path.topology);
    const queues = path.topology.queues.map(({ name }) => name);
    expect(queues).to.have.members([unroutable('p'), 'p.delay.1.1', 'p.delay.0.2']);
  });

  it('makes each wait a time to live whose end is the next level, without loss', () => {
    const { topology } = delayPath('p', routeDelay(16 * 256 + 2 * 256 + 150)!, 'email');
    expect(argumentsOf(topology, 'p.delay.1.1')).to.deep.equal({
      'x-queue-type': 'quorum',
      'x-message-ttl': 4_096,
      'x-dead-letter-exchange': 'p.delay.0',
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
    });
    expect(argumentsOf(topology, 'p.delay.0.2')).to.include({
      'x-message-ttl': 512,
      'x-dead-letter-exchange': 'p.delay.deliver',
    });
  });

  it('passes on at once where the digit is zero', () => {
    const { topology } = delayPath('p', { level: 1, digits: [0, 1, 0, 0, 0, 0, 0] }, 'email');
    expect(topology.bindings).to.deep.include({
      source: 'p.delay.0',
      routingKey: '*.*.*.*.*.*.0.*',
      exchange: 'p.delay.deliver',
    });
  });
});

describe('wholeDelayNet', () => {
  it('has an exchange for each level, a queue for each digit but zero, and a way for each digit', () => {
    const net = wholeDelayNet('p');
    expectComplete(net);
    expect(net.exchanges.filter(({ name }) => /^p\.delay\.\d$/.test(name))).to.have.length(levels);
    expect(net.queues.filter(({ name }) => name.startsWith('p.delay.'))).to.have.length(levels * (radix - 1));
    const patterns = net.bindings
      .filter(({ source }) => source.startsWith('p.delay.'))
      .map((b) => b.routingKey);
    expect(patterns).to.have.length(levels * radix);
    for (const pattern of patterns) expect(pattern).to.match(/^(\*|[0-9a-f])(\.(\*|[0-9a-f])){7}$/);
  });
});

describe('mergeTopologies', () => {
  it('has each thing once, whatever the order', () => {
    const first = jobsTopology('p', [SendEmail]);
    const whole = jobsTopology('p', [SendEmail, Resize]);
    const merged = mergeTopologies(first, whole, first);
    for (const part of ['exchanges', 'queues', 'bindings'] as const) {
      expect(merged[part]).to.have.deep.members(whole[part]);
    }
  });

  it('keeps two plans of one name that differ, so that the broker can refuse the second', () => {
    const plan = (ttl: number): Topology => ({
      exchanges: [],
      queues: [{ name: 'q', arguments: { 'x-queue-type': 'quorum', 'x-message-ttl': ttl } }],
      bindings: [],
    });
    expect(mergeTopologies(plan(1), plan(2)).queues).to.have.length(2);
  });
});

describe('withoutTopology', () => {
  it('takes away exchanges, queues and the bindings that touch them', () => {
    const plan = jobsTopology('p', [SendEmail, Resize]);
    const rest = withoutTopology(plan, {
      exchanges: [],
      queues: plan.queues.filter(({ name }) => name === 'p.media'),
      bindings: [],
    });
    expect(rest.queues).to.deep.equal(plan.queues.filter(({ name }) => name !== 'p.media'));
    expect(rest.bindings).to.deep.equal(plan.bindings.filter(({ queue }) => queue !== 'p.media'));
    const nothing = withoutTopology(plan, plan);
    expect(nothing).to.deep.equal({ exchanges: [], queues: [], bindings: [] });
  });

  it('takes away the bindings of an exchange, on either side', () => {
    const net = wholeDelayNet('p');
    const rest = withoutTopology(net, {
      exchanges: [{ name: 'p.delay.3', type: 'topic' }],
      queues: [],
      bindings: [],
    });
    expect(
      rest.bindings.filter(({ source, exchange }) => [source, exchange].includes('p.delay.3')),
    ).to.deep.equal([]);
  });
});
