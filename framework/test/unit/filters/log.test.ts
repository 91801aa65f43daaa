import { expect } from 'chai';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { Discard, fixed, type JobContext, Snooze } from '../../../src/index.js';
import { logFilter } from '../../../src/filters/log.js';
import { createTestRail } from '../../../src/testing.js';
import { lone, working } from '../../flow/working.js';

describe('the log of attempts', () => {
  const contract = lone('logged');

  async function linesOf(work: (job: JobContext) => unknown, level = 'info') {
    const lines: Record<string, unknown>[] = [];
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
        done();
      },
    });
    const handler = working(contract, (_, job) => work(job), { retry: fixed({ attempts: 2, every: '1h' }) });
    const rail = await createTestRail({ handlers: [handler], filters: [logFilter(pino({ level }, sink))] });
    await rail.enqueue(contract, { note: 'private' });
    await rail.drain();
    await rail.close();
    return lines;
  }

  it('has a line for each outcome, at the level of its weight', async () => {
    let times = 0;
    const lines = await linesOf(({ attempt }) => {
      if (times++ === 0) throw new Snooze({ in: '2s' });
      if (attempt === 1) throw new RangeError('once');
      throw new Discard('not wanted');
    });
    expect(lines.map(({ level, msg, outcome }) => [level, msg, outcome])).to.deep.equal([
      [30, 'job snoozed', 'snooze'],
      [40, 'job failed, will be retried', 'retry'],
      [30, 'job discarded', 'discard'],
    ]);
    expect(lines[0]).to.include({ inMs: 2_000 });
    expect(lines[1]).to.include({ inMs: 3_600_000, attempt: 1 });
    expect(lines[1]).to.have.nested.property('err.message', 'once');
    expect(lines[2]).to.include({ reason: 'not wanted', attempt: 2 });
  });

  it('has the start and the progress too at level debug', async () => {
    const lines = await linesOf((job) => job.progress(0.5, 'half'), 'debug');
    expect(lines.map(({ msg }) => msg)).to.deep.equal(['job started', 'job progress', 'job completed']);
    expect(lines[1]).to.include({ progress: 0.5, note: 'half' });
  });

  it('has nothing where its level is off, and never the payload', async () => {
    expect(await linesOf(() => undefined, 'warn')).to.deep.equal([]);
    expect(JSON.stringify(await linesOf(() => undefined, 'debug'))).to.not.include('private');
  });
});
