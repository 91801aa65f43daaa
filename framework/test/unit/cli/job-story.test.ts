import { expect } from 'chai';
import { jobFromEvents, type ToldEvent } from '../../../src/cli/job-from-events.js';
import { jobStory, letterStory, unknownStory } from '../../../src/cli/job-story.js';
import type { QueueReport } from '../../../src/cli/session.js';
import type { JobEvent } from '../../../src/model/event.js';

const now = Date.UTC(2026, 2, 3, 12);
const id = '01983c1e-0000-7000-8000-000000000000';
const from = { service: 'email', instance: 'i', host: 'web-1', pid: 1 };
const error = { name: 'Error', message: 'SMTP 550 \u001b[2J', fingerprint: '0123456789ab' };
const about = { job: id, contract: 'email.send', queue: 'email' };
const facts = { enqueuedAt: now - 60_000, producer: 'shop' };
const attempt = { ...about, attempt: 2, startedAt: now - 3_000, at: now - 1_000 };

const enqueued: JobEvent = {
  ...about,
  ...facts,
  kind: 'enqueued',
  at: now - 60_000,
  payloadBytes: 2,
  payload: { to: 'ada' },
};

/** The story of a job of which these events were told, in any order. */
function storyOf(events: JobEvent[], around: Partial<Parameters<typeof jobStory>[1]> = {}) {
  const told: ToldEvent[] = events.map((event) => ({ event, from }));
  const job = jobFromEvents(id, told)!;
  expect(jobFromEvents(id, told.toReversed())!.state).to.equal(job.state);
  return jobStory(job, { now, ...around });
}

const queue: QueueReport = {
  queue: 'email',
  services: ['email'],
  contracts: ['email.send'],
  waiting: 7,
  lanes: [],
  consumers: 2,
  dead: 0,
  suspects: 0,
};

describe('the story of a job', () => {
  it('tells of one that waits why it does, and what to do', () => {
    expect(storyOf([enqueued], { queue })).to.deep.include({ state: 'pending' });
    const busy = storyOf([enqueued], { queue });
    expect(busy.headline).to.include('waits on queue email').and.include('7 jobs wait there for 2 consumers');
    expect(busy.next).to.deep.equal(['jobrail top', `jobrail cancel ${id}`]);
    const paused = storyOf([enqueued], { queue: { ...queue, paused: { at: now - 5_000, by: 'ada@web-1' } } });
    expect(paused.headline).to.include('paused by ada@web-1 5.0 s ago');
    expect(paused.next).to.deep.equal(['jobrail resume email']);
    const alone = storyOf([enqueued], { queue: { ...queue, consumers: 0 } });
    expect(alone.headline).to.include('nobody consumes the queue; start email');
    expect(alone.next).to.include('jobrail doctor');
  });

  it('tells when one that is scheduled starts', () => {
    const story = storyOf([{ ...enqueued, dueAt: now + 600_000 }]);
    expect(story).to.deep.include({ state: 'scheduled', next: [`jobrail cancel ${id}`] });
    expect(story.headline).to.include('2026-03-03 12:10:00.000 UTC (in 10 min)');
  });

  it('tells of one that runs where, since when and how far', () => {
    const started: JobEvent = { ...about, ...facts, kind: 'started', attempt: 1, at: now - 5_000 };
    const progress: JobEvent = {
      ...about,
      kind: 'progress',
      attempt: 1,
      at: now - 1_000,
      fraction: 0.4,
      note: 'page 4',
    };
    const story = storyOf([enqueued, started, progress]);
    expect(story.headline).to.match(/^runs: attempt 1 began .* on email@web-1, 40 % done \(page 4\)/);
    expect(story.next).to.include(`jobrail cancel ${id}`);
  });

  it('shows of progress only how far an attempt came', () => {
    const progress = (attempt: number, fraction: number, at: number): JobEvent => ({
      ...{ ...about, kind: 'progress', attempt, at: now - at, fraction },
    });
    const story = storyOf([enqueued, progress(1, 0.1, 9), progress(1, 0.2, 8), progress(2, 0.3, 7), progress(2, 0.4, 6)]); // prettier-ignore
    expect(story.lines.filter((line) => line.includes('progress')).join()).to.match(/ 20 %.* 40 %$/);
  });

  it('tells of one that is tried again why and when', () => {
    const story = storyOf([enqueued, { ...attempt, kind: 'retried', nextAt: now + 30_000, error }]);
    expect(story.headline).to.match(
      /tried again .*in 30 s.*attempt 2 failed on email@web-1, Error: SMTP 550/,
    );
    expect(story.headline).to.include('\\x1b[2J').and.not.include('\u001b');
  });

  it('tells of a dead one why, and how to send it again, alone or with those of its cause', () => {
    const story = storyOf([enqueued, { ...attempt, kind: 'dead', reason: 'retries-exhausted', error }]);
    expect(story.headline).to.include('is dead since').and.include('retries-exhausted after 2 attempts');
    expect(story.next).to.deep.equal([
      `jobrail dead show ${id}`,
      `jobrail dead retry ${id}`,
      'jobrail dead retry --fingerprint 0123456789ab --dry-run',
    ]);
    expect(story.lines.join('\n')).to.include('payload   {"to":"ada"}').and.include('enqueued  2026-03-03');
  });

  it('shows of a stack what is not of Node or a library', () => {
    const frames = [
      'at send (/app/mail.js:3:1)',
      'at run (/app/node_modules/x/y.js:1:1)',
      'at node:internal/z:1:1',
    ];
    const stack = ['Error: no', ...frames.map((frame) => `    ${frame}`)].join('\n');
    const story = storyOf([
      enqueued,
      { ...attempt, kind: 'dead', reason: 'fatal', error: { ...error, stack } },
    ]);
    expect(story.lines.slice(-2).map((line) => line.trim())).to.deep.equal([
      'at send (/app/mail.js:3:1)',
      '… and 2 of Node and libraries (--json has all)',
    ]);
  });

  it('tells of those that are over how they ended', () => {
    const completed = storyOf([enqueued, { ...attempt, kind: 'completed', resultBytes: 4 }]);
    expect(completed.headline).to.include('is completed: attempt 2 ended').and.include('ran 2.0 s');
    expect(completed.next).to.deep.equal([]);
    const cancelled = storyOf([enqueued, { ...attempt, kind: 'cancelled', reason: 'sent twice' }]);
    expect(cancelled.headline).to.match(/was cancelled after 1 attempt,.*: sent twice$/);
    const stopped = storyOf([enqueued, { ...attempt, kind: 'cancelled', ran: true }]);
    expect(stopped.headline).to.include('was cancelled after 2 attempts,');
    const unborn = storyOf([enqueued, { ...attempt, attempt: 1, kind: 'cancelled' }]);
    expect(unborn.headline).to.include('was cancelled before its first attempt,');
    const expired = storyOf([
      { ...enqueued, expiresAt: now - 9_000 },
      { ...attempt, kind: 'expired' },
    ]);
    expect(expired.headline).to.include('expired before it started').and.include('9.0 s ago');
    const discarded = storyOf([enqueued, { ...attempt, kind: 'discarded', reason: 'no such user' }]);
    expect(discarded.headline).to.include('discarded by its handler').and.include('no such user');
    for (const story of [cancelled, expired, discarded]) {
      expect(story.next.at(-1)).to.equal("jobrail enqueue email.send '<payload>'");
    }
  });

  it('counts a replay as a new life, whatever the clocks say', () => {
    const dead: JobEvent = { ...attempt, kind: 'dead', reason: 'fatal', error };
    const replayed: JobEvent = { ...about, kind: 'replayed', at: now - 7_200_000, replays: 1, by: 'ada' };
    expect(storyOf([enqueued, dead, replayed]).state).to.equal('pending');
    const done: JobEvent = {
      ...attempt,
      attempt: 1,
      replays: 1,
      at: now - 7_100_000,
      kind: 'completed',
      resultBytes: 4,
    };
    expect(storyOf([enqueued, dead, replayed, done]).state).to.equal('completed');
  });

  it('tells of one that was cancelled and has not reached a worker yet', () => {
    const story = storyOf([enqueued], {
      queue,
      cancel: { at: now - 1_000, by: 'ada@web-1', reason: 'oops' },
    });
    expect(story.headline)
      .to.include('cancelled by ada@web-1')
      .and.include('ends as soon as it reaches a worker');
  });

  it('says what it cannot know of one that nobody knows', () => {
    const monitored = unknownStory(id, { now, monitor: true });
    expect(monitored).to.deep.include({ state: 'unknown', headline: 'is not known' });
    const alone = unknownStory('\u001b[2J', { now, monitor: false });
    expect(alone.lines.join(' ')).to.include('a queue cannot be searched');
    expect(JSON.stringify(alone)).not.to.include('\u001b').and.not.to.include('\\u001b');
    expect(unknownStory(id, { now, monitor: false, cancel: { at: now, by: 'ada' } }).state).to.equal(
      'cancelled',
    );
  });

  it('tells of a dead letter alone, where there is no record', () => {
    const letter = {
      ...{
        queue: 'email',
        id,
        contract: 'email.send',
        reason: 'delivery_limit',
        deadAt: now,
        enqueuedAt: undefined,
      },
      ...{
        error: { name: '', message: '', stack: '' },
        fingerprint: 'delivery_limit',
        attempts: [],
        replays: 2,
      },
      ...{ priority: 0, producer: undefined, traceId: undefined, payloadBytes: 10 },
    };
    const story = letterStory(letter, now);
    expect(story.lines.join('\n')).to.include('error     (delivery_limit)').and.include('replays   2');
  });

  it('survives a record with nothing in it', () => {
    const job = { id, contract: '', queue: '', state: 'processing', attempts: 0, replays: 0, updatedAt: 0 };
    for (const state of [
      'pending',
      'scheduled',
      'processing',
      'retrying',
      'completed',
      'dead',
      'discarded',
      'cancelled',
      'expired',
      'new',
    ]) {
      expect(jobStory({ ...job, state }, { now }).headline).to.be.a('string');
    }
  });
});
