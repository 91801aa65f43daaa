import { expect } from 'chai';
import { drawTable } from '../../demo/table.mjs';
/** @import { Job } from '../../demo/job-board.mjs' */

const NOW = 100_000;

/** @param {Partial<Job>} facts @returns {Job} */
const job = (facts) => ({
  id: '01a2022d-496b-764d-bae2-853cc5ca2804',
  label: 'a label that is longer than its column',
  contract: 'email.send',
  queue: 'email',
  priority: 2,
  state: 'completed',
  attempts: 12,
  waitedMs: 99_949,
  ranMs: 99_949,
  since: NOW,
  note: 'a note that is longer than any terminal is wide '.repeat(10),
  ...facts,
});

/** @param {Job[]} jobs @param {{ width: number, height?: number }} size */
const draw = (jobs, { width, height = 100 }) =>
  drawTable(jobs, { width, height, now: NOW, paint: (_style, text) => text });

describe('The table of the demo', () => {
  it('is never wider than the terminal, and shows all but id and note on one of 80 columns', () => {
    const states = /** @type {const} */ (['scheduled', 'processing', 'retrying', 'dead']);
    const jobs = states.map((state, index) => job({ id: `${index}`, state, dueAt: NOW + 5_000 }));
    for (let width = 40; width <= 200; width++) {
      for (const line of draw(jobs, { width }))
        expect(line.length, `at ${width}: ${line}`).to.be.at.most(width);
    }
    expect(draw(jobs, { width: 79 })[0]?.split(/\s+/)).to.deep.equal([
      'WHAT',
      'CONTRACT',
      'QUEUE',
      'STATE',
      'TRY',
      'WAITED',
      'RAN',
    ]);
  });

  it('leaves out what has ended first, where it is higher than the terminal', () => {
    const jobs = Array.from({ length: 30 }, (_, index) => job({ id: `${index}`, label: `job ${index}` }));
    jobs.unshift(job({ id: 'open', label: 'still open', state: 'processing' }));
    const lines = draw(jobs, { width: 120, height: 10 });
    expect(lines).to.have.length(10);
    expect(lines[1]).to.equal('… 23 lines of earlier jobs');
    expect(lines[2]).to.match(/^still open/);
    expect(lines.at(-1)).to.match(/^job 29/);
  });

  it('shows the jobs of a group as one line that counts them', () => {
    const group = 'a newsletter';
    const jobs = /** @type {const} */ (['completed', 'processing', 'pending']).map((state, index) =>
      job({ id: `${index}`, group, state }),
    );
    const [, line, ...others] = draw(jobs, { width: 200 });
    expect(line).to.match(/^a newsletter .* ● processing .* 1 of 3 done$/);
    expect(others).to.have.length(0);
  });
});
