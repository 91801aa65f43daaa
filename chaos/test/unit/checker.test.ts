import { expect } from 'chai';
import { check } from '../../src/checker.js';
import type { History } from '../../src/history.js';
import type { LedgerEvent, What } from '../../src/ledger.js';
import { effectsOnce, notOnce, postponed } from '../../src/scenarios/effects.js';
import { sentAgain, sentOnce } from '../../src/scenarios/outbox.js';

/** What happened, a line an event: `who: what job attempt`. Each line is 10 ms after the one before. */
function events(...lines: string[]): LedgerEvent[] {
  return lines.map((line, i) => {
    const [by, what, id, attempt = '0'] = line.split(/[: ]+/) as [string, What, string, string?];
    return { at: 1_000 + 10 * i, by, what, id, attempt: Number(attempt), pid: 1 };
  });
}

function verdictOf(happened: LedgerEvent[], rest: Partial<History> = {}) {
  return check({ events: happened, dead: [], left: [], faults: [], ...rest });
}

const enqueued = (id: string) => [`p: intent ${id}`, `p: confirmed ${id}`];
const ran = (id: string, attempt = 1) => [`w: started ${id} ${attempt}`, `w: completed ${id} ${attempt}`];

describe('the checker', () => {
  it('has nothing against a job that was confirmed and completed once', () => {
    const verdict = verdictOf(events(...enqueued('p-1-plain'), ...ran('p-1-plain')));
    expect(verdict).to.deep.include({ jobs: 1, confirmed: 1, completed: 1, dead: 0, duplicateRuns: 0 });
    for (const list of ['lost', 'stuck', 'doubled', 'unconfirmedRun', 'condemned', 'spared'] as const)
      expect(verdict[list], list).to.deep.equal([]);
  });

  it('calls lost what was confirmed and is nowhere', () => {
    const verdict = verdictOf(events(...enqueued('p-1-plain'), 'w: started p-1-plain 1'));
    expect(verdict.lost).to.deep.equal(['p-1-plain']);
  });

  it('calls stuck, not lost, what is still in a queue', () => {
    const left = [{ queue: 'work', id: 'p-1-plain' }];
    const verdict = verdictOf(events(...enqueued('p-1-plain')), { left });
    expect(verdict.lost).to.deep.equal([]);
    expect(verdict.stuck).to.deep.equal(['work: p-1-plain']);
  });

  it('does not miss a job that was never confirmed, but tells when it ran', () => {
    const verdict = verdictOf(
      events('p: intent p-1-plain', 'p: maybe p-1-plain', 'p: intent p-2-plain', ...ran('p-2-plain')),
    );
    expect(verdict.lost).to.deep.equal([]);
    expect(verdict.unconfirmedRun).to.deep.equal(['p-2-plain']);
  });

  it('finds the lie: a job that ran although its producer was told that it surely was not accepted', () => {
    const verdict = verdictOf(events('p: intent p-1-plain', 'p: refused p-1-plain', ...ran('p-1-plain')));
    expect(verdict.refusedRun).to.deep.equal(['p-1-plain']);
  });

  it('counts runs beyond those that retries and snoozes account for', () => {
    const retried = [
      ...enqueued('p-1-retried'),
      'w: started p-1-retried 1',
      'w: failed p-1-retried 1',
      ...ran('p-1-retried', 2),
    ];
    const snoozed = [
      ...enqueued('p-2-snoozed'),
      'w: started p-2-snoozed 1',
      'w: snoozed p-2-snoozed 1',
      ...ran('p-2-snoozed'),
    ];
    expect(verdictOf(events(...retried, ...snoozed)).duplicateRuns).to.equal(0);
    const twice = verdictOf(events(...enqueued('p-3-plain'), ...ran('p-3-plain'), ...ran('p-3-plain')));
    expect(twice).to.deep.include({ duplicateRuns: 1, doubled: ['p-3-plain'] });
  });

  it('tells the innocent that are dead, and the guilty that are not', () => {
    const happened = events(
      ...enqueued('p-1-plain'),
      ...enqueued('p-2-fatal'),
      'w: started p-2-fatal 1',
      ...enqueued('p-3-abort'),
      ...ran('p-3-abort'),
    );
    const dead = [
      { id: 'p-1-plain', reason: 'crashed' },
      { id: 'p-2-fatal', reason: 'fatal' },
    ];
    const verdict = verdictOf(happened, { dead });
    expect(verdict.condemned).to.deep.equal(['p-1-plain (crashed)']);
    expect(verdict.spared).to.deep.equal(['p-3-abort']);
    expect(verdict.lost).to.deep.equal([]);
  });

  describe('counts effects', () => {
    const happened = events(...enqueued('p-1-plain'), ...ran('p-1-plain'), ...enqueued('p-2-fatal'));

    it('where they are kept, and has nothing against one for each job', () => {
      expect(verdictOf(happened).effects).to.equal(undefined);
      const { effects } = verdictOf(happened, { effects: ['p-1-plain'] });
      expect(effects).to.deep.equal({ doubled: [], missing: [] });
      expect(effectsOnce({ effects })).to.deep.equal([]);
    });

    it('and tells which are doubled, though the handler came to its end only once', () => {
      const { effects } = verdictOf(happened, { effects: ['p-1-plain', 'p-1-plain'] });
      expect(effects?.doubled).to.deep.equal(['p-1-plain']);
      expect(effectsOnce({ effects })).to.deep.equal(['1 effects doubled: p-1-plain']);
      expect(notOnce({ effects }), 'the control wants it so').to.deep.equal([]);
    });

    it('and tells which are missing, though the handler came to its end', () => {
      const { effects } = verdictOf(happened, { effects: [] });
      expect(effects?.missing).to.deep.equal(['p-1-plain']);
      expect(effectsOnce({ effects })).to.deep.equal(['1 effects missing: p-1-plain']);
      expect(notOnce({ effects })).to.deep.equal([
        'no effect is doubled without idempotency: the fault is not strong enough',
        '1 effects missing: p-1-plain',
      ]);
    });

    it('and does not take an effect of a job that nobody confirmed for a missing one', () => {
      const maybe = events('p: intent p-1-plain', 'p: maybe p-1-plain');
      expect(verdictOf(maybe, { effects: [] }).effects?.missing).to.deep.equal([]);
    });

    it('and does not let a scenario pass that kept none', () => {
      expect(effectsOnce({ effects: undefined })).to.deep.equal(['no effects were kept']);
    });
  });

  describe('believes the database about transactions', () => {
    it('calls lost what was committed and is nowhere, though its producer died before it noted that', () => {
      const happened = events('p: intent p-1-plain');
      expect(verdictOf(happened, { committed: ['p-1-plain'] }).lost).to.deep.equal(['p-1-plain']);
    });

    it('has nothing against a job that ran and whose producer died right after the commit', () => {
      const happened = events('p: intent p-1-plain', ...ran('p-1-plain'));
      const verdict = verdictOf(happened, { committed: ['p-1-plain'] });
      expect(verdict).to.deep.include({ confirmed: 1, lost: [], unconfirmedRun: [], uncommittedRun: [] });
    });

    it('finds the job that ran although its transaction was rolled back, or is dead', () => {
      const happened = events(
        'p: intent p-1-plain',
        'p: refused p-1-plain',
        ...ran('p-1-plain'),
        'p: intent p-2-plain',
      );
      const dead = [{ id: 'p-2-plain', reason: 'crashed' }];
      const { uncommittedRun } = verdictOf(happened, { committed: [], dead });
      expect(uncommittedRun).to.deep.equal(['p-1-plain', 'p-2-plain']);
    });
  });

  it('does not believe a fault that left no trace', () => {
    expect(postponed({ events: events('w: started p-1-plain 1') })).to.have.length(1);
    expect(postponed({ events: events('w: postponed p-1-plain 1') })).to.deep.equal([]);
    expect(sentAgain({ duplicateRuns: 0 })).to.have.length(1);
    expect(sentAgain({ duplicateRuns: 3 })).to.deep.equal([]);
    expect(sentOnce({ duplicateRuns: 3 })).to.deep.equal(['3 jobs were sent twice although no relay died']);
    expect(sentOnce({ duplicateRuns: 0 })).to.deep.equal([]);
  });

  describe('measures recovery', () => {
    const faultAt = (endedAt: number, kind?: 'urgent') => [
      { what: 'cut', startedAt: endedAt - 5, endedAt, affected: ['w'], kind },
    ];

    it('from the end of a fault to the end of the first run that began after it', () => {
      const happened = events(
        ...enqueued('p-1-plain'), // 1000, 1010
        ...ran('p-1-plain'), // 1020, 1030
        ...enqueued('p-2-plain'), // 1040, 1050
        ...ran('p-2-plain'), // 1060, 1070
      );
      // The run under way at 1025 says nothing.
      expect(verdictOf(happened, { faults: faultAt(1_025) }).recovery.samplesMs).to.deep.equal([45]);
    });

    it('by jobs of the kind that was hit, and says who never came back', () => {
      const happened = events(...enqueued('p-1-plain'), ...ran('p-1-plain'));
      const { recovery } = verdictOf(happened, { faults: faultAt(1_005, 'urgent') });
      expect(recovery).to.deep.equal({ samplesMs: [], never: ['w after cut'] });
    });
  });
});
