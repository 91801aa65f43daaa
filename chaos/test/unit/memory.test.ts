import { expect } from 'chai';
import { flatness, type MemorySample, memoryTable } from '../../src/memory.js';

/** A process whose memory, in MiB, was this in each minute, the warm-up first. */
function process(name: string, warmUp: number, ...minutes: number[]): MemorySample[] {
  return [warmUp, ...minutes].map((mib, i) => ({ process: name, minute: i - 1, bytes: mib * 2 ** 20 }));
}

describe('flat memory', () => {
  it('stays within a tenth of the middle of its minutes, whatever it was during the warm-up', () => {
    expect(flatness(process('a', 10, 100, 110, 120, 105))).to.deep.equal([]);
  });

  it('is not what grows further', () => {
    expect(flatness([...process('a', 90, 100, 100), ...process('b', 90, 90, 100, 115)])).to.deep.equal([
      'memory of b went from 90 MiB to 115 MiB: ± 12.2 %',
    ]);
  });

  it('is judged by the median of each minute, which one sample does not move', () => {
    const spike = { process: 'a', minute: 0, bytes: 500 * 2 ** 20 };
    const steady = Array.from({ length: 5 }, () => process('a', 100, 100, 101)).flat();
    expect(flatness([...steady, spike])).to.deep.equal([]);
  });

  it('is shown with its first and last minute', () => {
    expect(
      memoryTable(process('a', 10, 100, 120, 110))
        .split('\n')
        .at(-1),
    ).to.equal('| a | 3 | 100 MiB | 110 MiB | 100 MiB | 120 MiB | ± 9.1 % |');
  });
});
