import { expect } from 'chai';
import type { JobEvent, RailEvent } from 'jobrail/events';
import { blankRecord, fold } from '../../src/records/fold.js';
import type { JobRecord } from '../../src/records/job-record.js';
import { noon, storyOf } from '../told.js';

const sender = (instance: string) => ({ service: 'email', instance, host: 'test-host', pid: 1 });

/** Folds events in the order of the stream; each alone, or with the instance that told it. */
function recordOf(...events: (RailEvent | [RailEvent, instance: string])[]): JobRecord {
  let record: JobRecord | undefined;
  for (const each of events) {
    const [event, instance] = Array.isArray(each) ? each : [each, 'a'];
    record ??= blankRecord(event as JobEvent);
    fold(record, event as JobEvent, sender(instance));
  }
  return record!;
}

describe('the record of a job', () => {
  const job = storyOf('job-1');

  it('goes from pending to processing to completed, with what each event tells', () => {
    expect(recordOf(job.enqueued())).to.include({ state: 'pending', attempts: 0, producer: 'api' });
    expect(recordOf(job.enqueued(), job.started())).to.include({
      state: 'processing',
      attempts: 1,
      service: 'email',
    });
    const done = recordOf(job.enqueued(), job.started(), job.completed());
    expect(done).to.include({
      state: 'completed',
      attempts: 1,
      startedAt: noon + 10,
      endedAt: noon + 20,
      steps: 3,
    });
    expect(done.payload).to.deep.equal({ to: 'ada@example.com' });
  });

  it('is whole without started and without enqueued, by the facts of the outcome', () => {
    const facts = { enqueuedAt: noon, producer: 'api', traceId: 'ab'.repeat(16), priority: 2 };
    expect(recordOf(job.completed({ facts }))).to.include({
      state: 'completed',
      enqueuedAt: noon,
      traceId: 'ab'.repeat(16),
      priority: 2,
      producer: 'api',
    });
  });

  it('does not go back for an enqueued that comes late, but takes its payload', () => {
    const record = recordOf(job.retried(), job.enqueued({ dueAt: noon + 86_400_000 }));
    expect(record).to.include({ state: 'retrying', nextAt: noon + 1_020, payloadBytes: 20 });
    expect(record.payload).to.deep.equal({ to: 'ada@example.com' });
  });

  it('is scheduled while it is due later', () => {
    expect(recordOf(job.enqueued({ dueAt: noon + 5_000 }))).to.include({
      state: 'scheduled',
      nextAt: noon + 5_000,
    });
  });

  it('follows the attempt, not the clock: a service whose clock is two hours behind ends what another began', () => {
    const record = recordOf(
      job.enqueued(),
      [job.retried(), 'ahead'],
      [job.completed({ attempt: 2, at: noon - 7_200_000, startedAt: noon - 7_200_010 }), 'behind'],
    );
    expect(record).to.include({ state: 'completed', attempts: 2, endedAt: noon - 7_200_000 });
    expect(record.error?.fingerprint).to.equal('0123456789ab');
  });

  it('keeps the state when an earlier attempt is heard of later', () => {
    const record = recordOf([job.completed({ attempt: 2 }), 'b'], [job.retried({ attempt: 1 }), 'a']);
    expect(record).to.include({ state: 'completed', attempts: 2, steps: 2 });
  });

  it('does not run again for a started that comes after the outcome of its attempt', () => {
    expect(recordOf(job.completed(), job.started())).to.include({ state: 'completed' });
    expect(recordOf(job.retried(), job.started())).to.include({ state: 'retrying' });
    expect(recordOf(job.dead(), job.progress(0.5))).to.include({ state: 'dead' });
  });

  it('takes the last outcome of an attempt that ran twice, in the order of the stream', () => {
    const record = recordOf(
      [job.completed(), 'a'],
      [job.retried(), 'b'],
      [job.completed({ attempt: 2 }), 'c'],
    );
    expect(record).to.include({ state: 'completed', attempts: 2 });
    expect(recordOf([job.completed(), 'a'], [job.retried(), 'b'])).to.include({
      state: 'retrying',
      endedAt: undefined,
    });
  });

  it('does not count an attempt that was given back or put off, and lets it run again', () => {
    const released = recordOf(job.enqueued(), job.started(), job.ended('released'));
    expect(released).to.include({ state: 'pending', attempts: 0 });
    const again = recordOf(job.started(), job.ended('released'), job.started(), job.completed());
    expect(again).to.include({ state: 'completed', attempts: 1 });
    expect(recordOf(job.snoozed())).to.include({ state: 'scheduled', nextAt: noon + 60_000, attempts: 0 });
    expect(recordOf(job.snoozed(), job.started())).to.include({ state: 'processing', nextAt: undefined });
  });

  it('begins anew when it is replayed, and what came before changes nothing any more', () => {
    const replayed = recordOf(job.dead({ attempt: 3 }), job.replayed(1, { to: 'eve@example.com' }));
    expect(replayed).to.include({ state: 'pending', endedAt: undefined, reason: undefined });
    expect(replayed.payload).to.deep.equal({ to: 'eve@example.com' });
    const done = recordOf(
      job.dead({ attempt: 3 }),
      job.replayed(1),
      job.completed({ replays: 1, attempt: 1 }),
      job.retried({ attempt: 2 }),
    );
    expect(done).to.include({ state: 'completed', replays: 1, attempts: 1 });
    const toldLate = recordOf(job.dead(), job.completed({ replays: 1 }), job.replayed(1));
    expect(toldLate).to.include({ state: 'completed', replays: 1 });
  });

  it('tells why it is dead, discarded, cancelled or expired', () => {
    expect(recordOf(job.dead())).to.include({ state: 'dead', reason: 'attempts used up' });
    expect(recordOf(job.ended('cancelled', { reason: 'by ada' }))).to.include({
      state: 'cancelled',
      reason: 'by ada',
      attempts: 0, // its handler was never called
    });
    expect(recordOf(job.ended('cancelled', { ran: true }))).to.include({ state: 'cancelled', attempts: 1 });
    expect(recordOf(job.ended('expired'))).to.include({ state: 'expired', attempts: 0 });
  });

  it('keeps progress while it runs, and no more than 500 steps of chatter', () => {
    expect(recordOf(job.started(), job.progress(0.25, { note: 'half of half' }))).to.include({
      state: 'processing',
      progress: 0.25,
      note: 'half of half',
    });
    const chatty = recordOf(...Array.from({ length: 700 }, (_, i) => job.progress(i / 700)), job.completed());
    expect(chatty).to.include({ state: 'completed', steps: 501, truncated: true, progress: undefined });
  });
});
