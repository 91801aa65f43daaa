import { expect } from 'chai';
import { attemptKey, SettledMemory } from '../../../src/runtime/settled-memory.js';

describe('SettledMemory', () => {
  const envelope = {
    id: 'a',
    contract: 'c',
    rootId: 'a',
    causationId: undefined,
    hops: 0,
    attempt: 1,
    enqueuedAt: 5,
    dueAt: undefined,
    expiresAt: undefined,
    replays: 0,
  };

  it('remembers as many as its capacity at least, and twice as many at most', () => {
    const memory = new SettledMemory(100);
    const jobs = Array.from({ length: 1_000 }, (_, i) => ({ ...envelope, id: `job ${i}` }));
    for (const job of jobs) {
      memory.add(job);
      if (jobs.indexOf(job) % 70 === 0) expect(memory.has(job)).to.equal(true);
    }
    expect(jobs.slice(-100).every((job) => memory.has({ ...job }))).to.equal(true);
    expect(jobs.filter((job) => memory.has(job)).length).to.be.within(100, 200);
  });

  it('tells attempts, snoozes and jobs of one id apart', () => {
    const others = [{ id: 'b' }, { attempt: 2 }, { enqueuedAt: 6 }, { dueAt: 9 }];
    const keys = [envelope, ...others.map((other) => ({ ...envelope, ...other }))].map(attemptKey);
    expect(new Set(keys).size).to.equal(5);
    expect(attemptKey({ ...envelope })).to.equal(attemptKey(envelope));
  });
});
