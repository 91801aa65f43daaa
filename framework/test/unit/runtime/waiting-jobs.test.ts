import { expect } from 'chai';
import { VirtualClock } from '../../../src/base/virtual-clock.js';
import type { HeldJob } from '../../../src/runtime/held-job.js';
import { WaitingJobs } from '../../../src/runtime/waiting-jobs.js';

describe('jobs in hand that are not started', () => {
  let clock: VirtualClock;
  let waiting: WaitingJobs;
  let due: HeldJob[];
  let overdue: HeldJob[];

  const job = (priority = 0, dueAt?: number) => ({ priority, envelope: { dueAt } }) as unknown as HeldJob;

  beforeEach(() => {
    clock = new VirtualClock(1_000);
    due = [];
    overdue = [];
    waiting = new WaitingJobs({
      clock,
      priorities: 2,
      lowShare: 0,
      mostWaitMs: 100,
      onDue: (each) => due.push(each),
      onOverdue: (each) => overdue.push(each),
    });
  });

  it('are told when they have waited for too long, and cannot be taken then', () => {
    const [first, second] = [job(), job()];
    for (const each of [first, second]) {
      waiting.add(each);
      waiting.watch(each);
    }
    expect(waiting.take()).to.equal(first);
    clock.advance(101);
    expect(overdue).to.deep.equal([second]);
    expect(waiting.take()).to.equal(undefined);
  });

  it('are not watched once they have a slot, though others wait', () => {
    const [early, urgent] = [job(0), job(1)];
    waiting.add(early);
    waiting.add(urgent);
    expect(waiting.take()).to.equal(urgent);
    waiting.watch(urgent);
    clock.advance(1_000);
    expect(overdue).to.deep.equal([]);
  });

  it('are told when they are due, not before', () => {
    const later = job(0, 1_050);
    waiting.hold(later, 50);
    expect(waiting.early).to.equal(1);
    clock.advance(49);
    expect(due).to.deep.equal([]);
    clock.advance(1);
    expect(due).to.deep.equal([later]);
    expect(waiting.early).to.equal(0);
  });

  it('are let go of all together, and none is told of later', () => {
    waiting.add(job());
    waiting.hold(job(0, 1_050), 50);
    expect(waiting.drain()).to.have.length(2);
    clock.advance(1_000);
    expect([...due, ...overdue]).to.deep.equal([]);
  });
});
