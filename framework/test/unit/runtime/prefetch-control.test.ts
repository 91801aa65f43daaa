import { expect } from 'chai';
import { type Flow, PrefetchControl } from '../../../src/runtime/prefetch-control.js';

const calm: Flow = {
  now: 0,
  concurrency: 10,
  perMs: 1,
  hungry: 0,
  roundTripMs: 4,
  answerMs: 1,
  early: 0,
  meanBytes: 200,
};

function control(prefetch: number, { lanes = 1, mostBytes = 64 * 1_048_576 } = {}) {
  const made = new PrefetchControl({ lanes, mostBytes }, prefetch);
  let now = 0;
  /** Looks so many times, 100 ms apart, and takes what is better. */
  const look = (flow: Partial<Flow>, times = 1) => {
    for (let i = 0; i < times; i++) {
      made.prefetch = made.better({ ...calm, ...flow, now }) ?? made.prefetch;
      now += 100;
    }
    return made.prefetch;
  };
  return { look };
}

describe('PrefetchControl', () => {
  it('holds a job for each slot and twice what is done in a round trip, when slots stood empty', () => {
    expect(control(12).look({ perMs: 10, hungry: 0.5 })).to.equal(10 + 2 * 10 * 4);
  });

  it('holds no more while no slot stands empty', () => {
    expect(control(12).look({ perMs: 10 }, 100)).to.equal(12);
  });

  it('holds more as long as slots stand empty, up to what is done in 30 ms', () => {
    const { look } = control(12);
    expect(look({ perMs: 1, hungry: 0.5 }, 50)).to.equal(10 + 30 + 16);
  });

  it('does not follow a round trip that only what is in hand makes longer', () => {
    const { look } = control(12);
    let held = look({ perMs: 10, hungry: 0.5, roundTripMs: 1 });
    for (let i = 0; i < 40; i++) held = look({ perMs: 10, hungry: 0.5, roundTripMs: held / 10 });
    expect(held).to.equal(10 + 30 * 10 + 16);
  });

  it('follows a round trip that is longer for good', () => {
    const { look } = control(12);
    look({ perMs: 10, hungry: 0.5, roundTripMs: 1 }, 10);
    expect(look({ perMs: 10, hungry: 0.5, roundTripMs: 80, answerMs: 40 }, 110)).to.equal(10 + 2 * 800);
  });

  it('does not believe a round trip much longer than the answers of the broker', () => {
    const slow = { perMs: 10, hungry: 0.5, roundTripMs: 90, answerMs: 1 };
    expect(control(12).look(slow, 100)).to.equal(10 + 30 * 10 + 16);
  });

  it('grows with empty slots also where it is little beside many slots', () => {
    const { look } = control(1_002);
    expect(look({ concurrency: 1_000, perMs: 5, hungry: 0.9 }, 20)).to.be.at.least(1_000 + 30 * 5);
  });

  it('is not changed for a little more', () => {
    const { look } = control(12);
    const held = look({ perMs: 10, hungry: 0.5 }, 20);
    expect(look({ perMs: 10.5, hungry: 0.5 }, 20)).to.equal(held);
  });

  it('follows more slots at once', () => {
    const { look } = control(12);
    look({});
    expect(look({ concurrency: 20 })).to.equal(28);
    expect(look({ concurrency: 40, perMs: 4 })).to.equal(72);
  });

  it('makes room for jobs that are not due yet', () => {
    expect(control(12).look({ perMs: 0, early: 12 })).to.equal(10 + 24 + 1);
  });

  it('gives back room that slow handlers do not need, after a second', () => {
    const { look } = control(200);
    expect(look({ perMs: 0.01 }, 10)).to.equal(200);
    expect(look({ perMs: 0.01 }, 2)).to.equal(11);
  });

  it('keeps what is started within 50 ms', () => {
    expect(control(60).look({ perMs: 1 }, 100)).to.equal(60);
  });

  it('holds no more bytes than it may, over all lanes, but one job for each slot', () => {
    const bounds = { lanes: 2, mostBytes: 40 * 1_000_000 };
    const quick = { perMs: 10, hungry: 0.5, meanBytes: 1_000_000 };
    expect(control(12, bounds).look(quick, 10)).to.equal(20);
    expect(control(12, bounds).look({ ...quick, concurrency: 30 }, 10)).to.equal(30);
  });

  it('counts the jobs of a message: as many messages as hold what is needed, and one that may be nearly done', () => {
    expect(control(12).look({ perMs: 10, packed: 20 }, 20)).to.equal(12);
    expect(control(3).look({ perMs: 10, hungry: 0.5, packed: 20 })).to.equal(Math.ceil((10 + 100 + 19) / 20));
    expect(control(112).look({ concurrency: 100, perMs: 1, packed: 100 }, 20)).to.equal(3);
    expect(control(3).look({ concurrency: 100, perMs: 1, packed: 100 }, 50)).to.equal(3);
  });
});
