import { expect } from 'chai';
import { JobBoard } from '../../demo/job-board.mjs';

const job = { id: 'j1', label: 'welcome Ada', contract: 'email.send', queue: 'email' };

/** A line as a service logs it. @param {Record<string, unknown>} entry */
const line = (entry) =>
  JSON.stringify({
    level: 30,
    time: 1_000,
    job: 'j1',
    contract: 'email.send',
    queue: 'email',
    attempt: 1,
    ...entry,
  });

describe('The board of the demo', () => {
  it('follows a job from enqueue through a retry to its end', () => {
    const board = new JobBoard();
    /** @type {string[]} */
    const seen = [];
    board.watch(({ state, attempts, note = '' }) => seen.push(`${state} ${attempts} ${note}`.trim()));
    board.enqueued(job);
    board.logLine(line({ outcome: 'started' }));
    board.logLine(
      line({ outcome: 'retry', waitedMs: 1, ranMs: 2, inMs: 500, err: { message: '451 later' } }),
    );
    board.logLine(line({ outcome: 'started', attempt: 2 }));
    board.logLine(line({ outcome: 'completed', attempt: 2, waitedMs: 3, ranMs: 4 }));
    expect(seen).to.deep.equal([
      'pending 0',
      'processing 1',
      'retrying 1 451 later',
      'processing 2',
      'completed 2',
    ]);
    expect(board.jobs.get('j1')).to.include({ label: 'welcome Ada', waitedMs: 3, ranMs: 4 });
    expect(board.isFinal('j1')).to.equal(true);
  });

  it('keeps what a service has said already, where the producer was slower', () => {
    const board = new JobBoard();
    board.logLine(line({ outcome: 'completed', waitedMs: 1, ranMs: 1 }));
    board.enqueued(job);
    expect(board.jobs.get('j1')).to.include({ state: 'completed', label: 'welcome Ada' });
  });

  it('passes over what is not about a job', () => {
    const board = new JobBoard();
    for (const other of [
      'Error: no JSON',
      '{"broken',
      '{"msg":"listening","port":1}',
      line({ msg: 'mail sent' }),
    ]) {
      board.logLine(other);
    }
    expect(board.jobs.size).to.equal(0);
  });

  it('forgets what has ended long ago, never what is open', () => {
    const board = new JobBoard();
    board.enqueued(job);
    for (let index = 0; index < 2_000; index++) {
      board.logLine(line({ job: `other ${index}`, outcome: 'completed' }));
    }
    expect(board.jobs.size).to.be.lessThan(1_000);
    expect(board.jobs.get('j1')?.state).to.equal('pending');
  });
});
