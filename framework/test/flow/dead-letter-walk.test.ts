import { expect } from 'chai';
import { systemClock } from '../../src/base/clock.js';
import { Fatal, type HandlerClass, noRetry } from '../../src/index.js';
import type { DeadLetter } from '../../src/model/dead-letter.js';
import type { RailEvent } from '../../src/model/event.js';
import { deadQueue, laneQueue } from '../../src/model/topology.js';
import { DeadLetters } from '../../src/runtime/dead-letters.js';
import { until } from '../contract/recorder.js';
import { useStage } from './stage.js';
import { lone, working } from './working.js';

describe('dead letters that people act on', () => {
  const stage = useStage();
  const told: RailEvent[] = [];

  function desk(): DeadLetters {
    const { broker } = stage.rail;
    const events = { tell: (event: RailEvent) => void told.push(event), tellOutcome: () => undefined };
    return new DeadLetters({ broker, prefix: stage.prefix, clock: systemClock, by: 'ada@test', events });
  }

  afterEach(() => void (told.length = 0));

  /** Jobs that died, and the service that they died in is gone. */
  async function dying(
    contract: ReturnType<typeof lone>,
    notes: readonly string[],
    priority = 0,
  ): Promise<void> {
    const handler: HandlerClass = working(
      contract,
      ({ note }) => {
        throw note.startsWith('fatal')
          ? new Fatal('no such customer')
          : new Error(`timed out after ${note.length} s`);
      },
      { retry: noRetry },
    );
    const service = await stage.start({ handlers: [handler] });
    for (const note of notes) {
      const { id } = await stage.client.enqueue(contract, { note }, { priority });
      await stage.signals.first({ what: 'ended', id });
    }
    await service.stop();
    await until(
      async () => await stage.ready(deadQueue(stage.prefix, contract.queue)),
      (count) => count === notes.length,
    );
  }

  async function letters(queue: string): Promise<DeadLetter[]> {
    const seen: DeadLetter[] = [];
    await desk().walk(queue, async ({ letter }) => void seen.push(letter));
    return seen;
  }

  it('are read as often as one likes, with cause and history, in order', async () => {
    const contract = lone('desk-read', { priorities: 2 });
    await dying(contract, ['a', 'fatal b', 'cc'], 1);
    for (let i = 0; i < 25; i++) {
      expect(await letters('desk-read')).to.have.length(3);
      await until(
        async () => await desk().count('desk-read'),
        (count) => count === 3,
      );
    }
    const [first, second, third] = await letters('desk-read');
    expect(first).to.deep.include({ queue: 'desk-read', contract: 'desk-read', priority: 1, replays: 0 });
    expect(first!.error).to.include({ name: 'Error', message: 'timed out after 1 s' });
    expect(first!.attempts.map(({ attempt, service }) => `${attempt} ${service}`)).to.deep.equal(['1 stage']);
    expect([first!.reason, second!.reason]).to.deep.equal(['retries-exhausted', 'fatal']);
    expect(third!.fingerprint).to.equal(first!.fingerprint).and.not.to.equal(second!.fingerprint);
  });

  it('are sent again one by one: the same job from attempt 1, its history kept, in its lane, told as an event', async () => {
    const contract = lone('desk-replay', { priorities: 2 });
    await dying(contract, ['wrong', 'stays'], 1);
    await desk().walk('desk-replay', async ({ letter, replay }) => {
      if (letter.error.message.includes('5 s') && told.length === 0)
        await replay(Buffer.from('{"note":"right"}'));
    });
    const one = (count: number | undefined) => count === 1;
    await until(() => stage.ready(laneQueue(stage.prefix, contract.queue, 1)), one);
    await until(() => stage.ready(deadQueue(stage.prefix, contract.queue)), one);
    expect(told[0]).to.include({ kind: 'replayed', contract: 'desk-replay', replays: 1, by: 'ada@test' });

    const notes: string[] = [];
    const handler = working(
      contract,
      ({ note }, job) => void notes.push(`${note} ${job.attempt} ${job.priority}`),
    );
    await stage.start({ handlers: [handler] });
    await stage.signals.first({ what: 'ended', outcome: 'completed' });
    expect(notes).to.deep.equal(['right 1 1']);
  });

  it('count their replays, and a process that settled the job before runs it again', async () => {
    const contract = lone('desk-count');
    let healthy = false;
    const handler: HandlerClass = working(
      contract,
      () => {
        if (!healthy) throw new Error('down');
      },
      { retry: noRetry },
    );
    await stage.start({ handlers: [handler] });
    await stage.client.enqueue(contract, { note: 'x' });
    for (const replays of [1, 2]) {
      await stage.signals.next(replays, { what: 'ended', outcome: 'dead' });
      await until(
        async () => await desk().count('desk-count'),
        (count) => count === 1,
      );
      const [letter] = await letters('desk-count');
      await until(
        async () => await desk().count('desk-count'),
        (count) => count === 1,
      );
      expect(letter!.replays).to.equal(replays - 1);
      expect(letter!.attempts).to.have.length(replays);
      healthy = replays === 2;
      await desk().walk('desk-count', ({ replay }) => replay());
    }
    await stage.signals.first({ what: 'ended', outcome: 'completed' });
    expect(await letters('desk-count')).to.deep.equal([]);
  });

  it('are deleted where asked for, and a visit can end early', async () => {
    const contract = lone('desk-discard');
    await dying(contract, ['a', 'b', 'c']);
    let visits = 0;
    await desk().walk('desk-discard', async ({ discard }) => {
      discard();
      return ++visits < 2;
    });
    expect(await letters('desk-discard')).to.have.length(1);
    expect(await letters('no-such-queue')).to.deep.equal([]);
  });

  it('stay where they are when the broker does not take the job', async () => {
    const contract = lone('desk-gone');
    await dying(contract, ['a']);
    const { broker } = stage.rail;
    const lane = {
      name: laneQueue(stage.prefix, contract.queue, 0),
      arguments: { 'x-queue-type': 'quorum' as const },
    };
    await broker.remove({ exchanges: [], queues: [lane], bindings: [] });
    let refused: unknown;
    await desk().walk('desk-gone', ({ replay }) =>
      replay().catch((error: unknown) => void (refused = error)),
    );
    expect(refused).to.have.property('code', 'JR_PUBLISH_RETURNED');
    expect(await letters('desk-gone')).to.have.length(1);
  });

  it('are letters of their own where the broker gave up a message with several jobs; the others stay', async () => {
    const contract = lone('desk-pack');
    const payloads = ['a', 'b', 'c', 'd'].map((note) => ({ note }));
    const jobs = await stage.client.enqueueMany(contract, payloads, { pack: 4 });
    const channel = await stage.channel();
    const message = await channel.get(laneQueue(stage.prefix, contract.queue, 0));
    if (!message) throw new Error('the lane is empty');
    channel.nack(message, false, false);
    const dead = () => stage.ready(deadQueue(stage.prefix, contract.queue));
    await until(dead, (count) => count === 1);

    const seen = await letters('desk-pack');
    expect(seen.map(({ id }) => id)).to.deep.equal(jobs.map(({ id }) => id));
    for (const { contract: of, reason, payloadBytes } of seen)
      expect({ of, reason, payloadBytes }).to.deep.equal({
        of: 'desk-pack',
        reason: 'rejected',
        payloadBytes: 12,
      });

    await desk().walk('desk-pack', async (taken) => {
      if (taken.letter.id === jobs[1]!.id) await taken.replay();
      if (taken.letter.id === jobs[2]!.id) taken.discard();
    });
    await until(dead, (count) => count === 1);
    const rest = await letters('desk-pack');
    expect(rest.map(({ id, reason }) => [id, reason])).to.deep.equal([
      [jobs[0]!.id, 'rejected'],
      [jobs[3]!.id, 'rejected'],
    ]);
    expect(told.map((event) => 'job' in event && event.job)).to.deep.equal([jobs[1]!.id]);

    await desk().walk('desk-pack', ({ replay }) => replay());
    expect(await dead()).to.equal(0);
    const ran: string[] = [];
    await stage.start({ handlers: [working(contract, ({ note }) => void ran.push(note))] });
    await stage.signals.next(3, { what: 'ended', outcome: 'completed' });
    expect(ran).to.have.members(['a', 'b', 'd']);
  });
});
