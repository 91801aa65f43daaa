import { expect } from 'chai';
import { pause, systemClock } from '../../../src/base/clock.js';
import { VirtualClock } from '../../../src/base/virtual-clock.js';

describe('systemClock', () => {
  it('tells the time of this machine', () => {
    const before = Date.now();
    expect(systemClock.now()).to.be.within(before, before + 1_000);
  });

  it('fires once, after the time asked for', async () => {
    const startedAt = performance.now();
    await new Promise<void>((resolve) => void systemClock.setTimer(20, resolve));
    expect(performance.now() - startedAt).to.be.at.least(19);
  });

  it('does not fire a timer at once that is longer than Node can hold', async () => {
    let fired = false;
    const timer = systemClock.setTimer(400 * 86_400_000, () => (fired = true));
    await new Promise<void>((resolve) => void systemClock.setTimer(20, resolve));
    timer.cancel();
    expect(fired).to.equal(false);
  });

  it('does not fire a timer that was cancelled', async () => {
    let fired = false;
    systemClock.setTimer(1, () => (fired = true)).cancel();
    await new Promise<void>((resolve) => void systemClock.setTimer(20, resolve));
    expect(fired).to.equal(false);
  });
});

describe('pause', () => {
  it('resolves when the time is over', async () => {
    const clock = new VirtualClock();
    const paused = pause(clock, 5_000);
    clock.advance(4_999);
    expect(clock.nextAt).to.equal(clock.now() + 1);
    clock.advance(1);
    await paused;
  });

  it('resolves at once when the signal aborts, and leaves no timer', async () => {
    const clock = new VirtualClock();
    const abort = new AbortController();
    const paused = pause(clock, 5_000, abort.signal);
    abort.abort();
    await paused;
    expect(clock.nextAt).to.equal(undefined);
  });

  it('does not begin when the signal has aborted already', async () => {
    const clock = new VirtualClock();
    await pause(clock, 5_000, AbortSignal.abort());
    expect(clock.nextAt).to.equal(undefined);
  });
});
