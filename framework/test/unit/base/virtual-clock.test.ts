import { expect } from 'chai';
import fc from 'fast-check';
import { VirtualClock } from '../../../src/base/virtual-clock.js';

describe('VirtualClock', () => {
  it('stands still until it is told to move', () => {
    const clock = new VirtualClock(1_000);
    expect(clock.now()).to.equal(1_000);
    clock.advance(250);
    expect(clock.now()).to.equal(1_250);
  });

  it('fires what becomes due on the way, each at its own time, in order', () => {
    const clock = new VirtualClock(0);
    const seen: string[] = [];
    clock.setTimer(30, () => seen.push(`c@${clock.now()}`));
    clock.setTimer(10, () => seen.push(`a@${clock.now()}`));
    clock.setTimer(10, () => seen.push(`b@${clock.now()}`));
    clock.setTimer(31, () => seen.push('later'));
    clock.advance(30);
    expect(seen).to.deep.equal(['a@10', 'b@10', 'c@30']);
    expect(clock.now()).to.equal(30);
    expect(clock.nextAt).to.equal(31);
  });

  it('fires a timer that was set by one that fired, in the same move', () => {
    const clock = new VirtualClock(0);
    const seen: number[] = [];
    const again = () => {
      seen.push(clock.now());
      if (seen.length < 3) clock.setTimer(10, again);
    };
    clock.setTimer(10, again);
    clock.advance(100);
    expect(seen).to.deep.equal([10, 20, 30]);
  });

  it('does not fire what was cancelled, also by an earlier timer', () => {
    const clock = new VirtualClock(0);
    const seen: string[] = [];
    const second = clock.setTimer(20, () => seen.push('second'));
    clock.setTimer(10, () => second.cancel());
    clock.advance(100);
    expect(seen).to.deep.equal([]);
    expect(clock.nextAt).to.equal(undefined);
  });

  it('says when the next timer is due, if one waits', () => {
    const clock = new VirtualClock(0);
    let fired = 0;
    clock.setTimer(7_200_000, () => fired++);
    clock.setTimer(3_600_000, () => fired++);
    expect(clock.nextAt).to.equal(3_600_000);
    clock.advance(7_200_000);
    expect(fired).to.equal(2);
    expect(clock.nextAt).to.equal(undefined);
  });

  it('takes a negative wait for none', () => {
    const clock = new VirtualClock(500);
    let firedAt = -1;
    clock.setTimer(-10, () => (firedAt = clock.now()));
    clock.advance(0);
    expect(firedAt).to.equal(500);
  });

  it('fires every timer in order of time, and of setting where times are equal', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50)), (waits) => {
        const clock = new VirtualClock(0);
        const seen: [number, number][] = [];
        for (const [i, ms] of waits.entries()) clock.setTimer(ms, () => seen.push([clock.now(), i]));
        clock.advance(50);
        const expected = waits
          .map((ms, i): [number, number] => [ms, i])
          .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        expect(seen).to.deep.equal(expected);
      }),
    );
  });
});
