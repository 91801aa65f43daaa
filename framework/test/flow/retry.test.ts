import { expect } from 'chai';
import {
  backoff,
  Discard,
  exponential,
  Fatal,
  fixed,
  type JobContext,
  noRetry,
  Retry,
  type RetryPolicy,
  Snooze,
} from '../../src/index.js';
import { header, readHistory } from '../../src/model/envelope.js';
import { deadQueue, laneQueue } from '../../src/model/topology.js';
import { createTestRail } from '../../src/testing.js';
import { useStage } from './stage.js';
import { lone, working } from './working.js';

describe('an attempt that fails', () => {
  const stage = useStage();

  it('is followed by another through the delay net, with the attempt counted and the history kept', async () => {
    const contract = lone('retry-net');
    const times: number[] = [];
    const handler = working(
      contract,
      (_, job) => {
        times.push(Date.now());
        if (job.attempt < 3) throw new TypeError(`failure ${job.attempt}`);
      },
      { retry: fixed({ attempts: 3, every: '600ms' }) },
    );
    const service = stage.service({ handlers: [handler], name: 'retrier' });
    const headers: JobContext['headers'][] = [];
    service.use({
      name: 'look',
      attempt: (attempt, next) => (headers.push(attempt.message.properties.headers), next()),
    });
    await service.start();
    const { id } = await stage.client.enqueue(contract, { note: '' }, { headers: { tenant: 'acme' } });
    const ended = await stage.signals.next(3, { what: 'ended', id });
    expect(ended.map(({ outcome }) => outcome)).to.deep.equal(['retry', 'retry', 'completed']);
    expect(times[1]! - times[0]!).to.be.at.least(600);
    expect(times[2]! - times[1]!).to.be.at.least(600);

    const last = headers[2]!;
    expect(last[header.attempt]).to.equal(3);
    expect(last['tenant']).to.equal('acme');
    expect(
      Object.keys(last).filter((name) => /death/.test(name)),
      'headers of the broker',
    ).to.have.length.above(0);
    const history = readHistory(last);
    expect(history.map(({ attempt, error, service }) => ({ attempt, error, service }))).to.deep.equal([
      { attempt: 1, error: 'TypeError: failure 1', service: 'retrier' },
      { attempt: 2, error: 'TypeError: failure 2', service: 'retrier' },
    ]);
    for (const [i, { at, ms }] of history.entries()) {
      expect(times[i]).to.be.within(at, at + ms);
    }
  });

  it('leaves nothing on the broker once its job completed', async () => {
    const contract = lone('retry-gone');
    const handler = working(
      contract,
      (_, job) => {
        if (job.attempt === 1) throw new Error('once');
      },
      { retry: fixed({ attempts: 2, every: 5 }) },
    );
    const service = await stage.start({ handlers: [handler] });
    await stage.client.enqueue(contract, { note: '' });
    await stage.signals.first({ what: 'ended', outcome: 'completed' });
    await service.stop();
    expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(0);
    expect(await stage.ready(deadQueue(stage.prefix, contract.queue))).to.equal(0);
  });

  it('keeps its priority, headers and expiry on the next attempt', async () => {
    const contract = lone('retry-keeps', { priorities: 2 });
    const seen: unknown[] = [];
    const handler = working(
      contract,
      (_, { attempt, priority, headers, id, rootId, enqueuedAt }) => {
        seen.push({ priority, headers, id, rootId, enqueuedAt });
        if (attempt === 1) throw new Error('once');
      },
      { retry: fixed({ attempts: 2, every: 600 }) },
    );
    await stage.start({ handlers: [handler] });
    await stage.client.enqueue(contract, { note: '' }, { priority: 1, headers: { a: 1 }, expiresIn: '1h' });
    await stage.signals.first({ what: 'ended', outcome: 'completed' });
    expect(seen[1]).to.deep.equal(seen[0]);
  });
});

/** What the wait is and how the job ends is the same on every broker: a virtual clock makes hours of it milliseconds. */
describe('what a handler throws', () => {
  const contract = lone('thrown');

  /** Runs one job whose attempts throw what `fail` gives until it gives nothing. */
  async function run(
    fail: (job: JobContext) => unknown,
    retry: RetryPolicy = fixed({ attempts: 3, every: '1m' }),
  ) {
    const handler = working(
      contract,
      (_, job) => {
        const error = fail(job);
        if (error !== undefined) throw error as Error;
      },
      { retry },
    );
    const rail = await createTestRail({ handlers: [handler] });
    const start = rail.clock.now();
    await rail.enqueue(contract, { note: '' });
    await rail.drain();
    const dead = await rail.broker.get('test.thrown.dead');
    dead?.ack();
    await rail.close();
    return {
      attempts: rail.attempts.map(({ attempt, at, outcome }) => [
        outcome.kind,
        attempt,
        Math.round((at.getTime() - start) / 1_000),
      ]),
      outcomes: rail.attempts.map(({ outcome }) => outcome),
      dead: dead?.properties.headers,
    };
  }

  it('an error follows the policy, then the job is a dead letter', async () => {
    const { attempts, dead } = await run(() => new Error('always'));
    expect(attempts).to.deep.equal([
      ['retry', 1, 0],
      ['retry', 2, 60],
      ['dead', 3, 120],
    ]);
    expect(dead).to.include({ [header.deadReason]: 'retries-exhausted', [header.errorMessage]: 'always' });
  });

  it('Retry decides the wait itself and counts as an attempt', async () => {
    const { attempts, dead } = await run(() => new Retry({ in: '2h', cause: new RangeError('busy') }));
    expect(attempts).to.deep.equal([
      ['retry', 1, 0],
      ['retry', 2, 7_200],
      ['dead', 3, 14_400],
    ]);
    expect(dead).to.include({ [header.errorName]: 'RangeError', [header.errorMessage]: 'busy' });
  });

  it('Snooze comes back later and does not count', async () => {
    let times = 0;
    const { attempts, dead } = await run(() => (++times <= 5 ? new Snooze({ in: '30s' }) : undefined));
    expect(attempts).to.deep.equal([
      ...[0, 30, 60, 90, 120].map((second) => ['snooze', 1, second]),
      ['completed', 1, 150],
    ]);
    expect(dead).to.equal(undefined);
  });

  it('Snooze after a failure keeps the attempt', async () => {
    let times = 0;
    const thrown = [new Error('once'), new Snooze({ in: '10s' })];
    const { attempts } = await run(() => thrown[times++]);
    expect(attempts).to.deep.equal([
      ['retry', 1, 0],
      ['snooze', 2, 60],
      ['completed', 2, 70],
    ]);
  });

  it('Discard ends the job, which is not kept', async () => {
    const { attempts, outcomes, dead } = await run(() => new Discard('the user is gone'));
    expect(attempts).to.deep.equal([['discard', 1, 0]]);
    expect(outcomes[0]).to.have.property('reason', 'the user is gone');
    expect(dead).to.equal(undefined);
  });

  it('Fatal makes the job a dead letter at once, with the error that it carries', async () => {
    const { attempts, dead } = await run(() => new Fatal(new SyntaxError('no such account')));
    expect(attempts).to.deep.equal([['dead', 1, 0]]);
    expect(dead).to.include({
      [header.deadReason]: 'fatal',
      [header.errorName]: 'SyntaxError',
      [header.errorMessage]: 'no such account',
    });
  });

  it('Fatal with only a text is the error itself', async () => {
    const { dead } = await run(() => new Fatal('no such account'));
    expect(dead).to.include({ [header.errorName]: 'Fatal', [header.errorMessage]: 'no such account' });
  });

  it('a value that is no error is told as such', async () => {
    const { dead } = await run(() => ({ code: 7 }), noRetry);
    expect(dead![header.errorMessage]).to.equal('a non-error was thrown: {"code":7}');
  });

  it('a backoff function decides by attempt and error', async () => {
    const retry = backoff({
      attempts: 3,
      delay: (attempt, error) => (error.message === 'slow' ? '1h' : attempt * 1_000),
    });
    const errors = ['quick', 'slow'];
    const { attempts } = await run(
      ({ attempt }) => (attempt < 3 ? new Error(errors[attempt - 1]) : undefined),
      retry,
    );
    expect(attempts).to.deep.equal([
      ['retry', 1, 0],
      ['retry', 2, 1],
      ['completed', 3, 3_601],
    ]);
  });

  for (const [how, delay] of [
    [
      'that throws',
      () => {
        throw new Error('my own fault');
      },
    ],
    ['that gives no duration', () => 'soon' as never],
  ] as const) {
    it(`a backoff function ${how} loses no job and does not spin: a minute, and both errors are told`, async () => {
      const { attempts, outcomes } = await run(
        ({ attempt }) => (attempt === 1 ? new Error('the work') : undefined),
        backoff({ attempts: 3, delay }),
      );
      expect(attempts).to.deep.equal([
        ['retry', 1, 0],
        ['completed', 2, 60],
      ]);
      const [first] = outcomes;
      expect(first?.kind === 'retry' && first.error.message).to.match(
        /^the work \(and the backoff function threw: /,
      );
    });
  }

  it('exponential waits double from "from" to "to"', async () => {
    const retry = exponential({ attempts: 6, from: '1s', to: '5s', jitter: 'none' });
    const { attempts } = await run(() => new Error('always'), retry);
    expect(attempts.map(([, , second]) => second)).to.deep.equal([0, 1, 3, 7, 12, 17]);
  });
});
