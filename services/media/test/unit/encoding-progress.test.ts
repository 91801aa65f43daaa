import { expect } from 'chai';
import { type EncodingProgress, encodingProgressReader } from '../../src/video/encoding-progress.js';

function read(text: string): EncodingProgress[] {
  const reports: EncodingProgress[] = [];
  const line = encodingProgressReader((progress) => reports.push(progress));
  text.split('\n').forEach(line);
  return reports;
}

describe('the progress of an encoding', () => {
  it('is told once a block, in seconds', () => {
    const text =
      'frame=10\nout_time_us=400000\nprogress=continue\nframe=50\nout_time_us=2000000\nprogress=end';
    expect(read(text)).to.deep.equal([
      { seconds: 0.4, ended: false },
      { seconds: 2, ended: true },
    ]);
  });

  it('starts at nothing while no time is known', () => {
    expect(
      read('out_time_us=N/A\nprogress=continue\nout_time_us=-9223372036854775807\nprogress=continue'),
    ).to.deep.equal([
      { seconds: 0, ended: false },
      { seconds: 0, ended: false },
    ]);
  });

  it('never goes back', () => {
    const seconds = read('out_time_us=500000\nprogress=continue\nout_time_us=N/A\nprogress=end').map(
      (p) => p.seconds,
    );
    expect(seconds).to.deep.equal([0.5, 0.5]);
  });

  it('is not irritated by other lines', () => {
    expect(read('\nnonsense\nspeed= 1.2x\nprogress=end')).to.deep.equal([{ seconds: 0, ended: true }]);
  });
});
