import { expect } from 'chai';
import { VirtualClock } from '../../../src/base/virtual-clock.js';
import { Deadlines } from '../../../src/base/deadlines.js';

describe('Deadlines', () => {
  function watch(afterMs: number) {
    const clock = new VirtualClock(0);
    const overdue: [string, number][] = [];
    const deadlines = new Deadlines<string>(clock, afterMs, (item) => overdue.push([item, clock.now()]));
    return { clock, overdue, deadlines, add: (item: string) => deadlines.add(item, clock.now()) };
  }

  it('tells of each item when its time is over, counted from when it was added', () => {
    const { clock, overdue, add } = watch(100);
    add('a');
    clock.advance(30);
    add('b');
    add('c');
    clock.advance(1_000);
    expect(overdue).to.deep.equal([
      ['a', 100],
      ['b', 130],
      ['c', 130],
    ]);
  });

  it('tells nothing of items that were taken away in time', () => {
    const { clock, overdue, deadlines, add } = watch(100);
    const a = add('a');
    clock.advance(50);
    add('b');
    const c = add('c');
    add('d');
    deadlines.delete(a);
    deadlines.delete(c);
    clock.advance(100);
    expect(overdue).to.deep.equal([
      ['b', 150],
      ['d', 150],
    ]);
  });

  it('keeps one timer for any number of items, and none when it has none left', () => {
    const { clock, deadlines, add } = watch(100);
    const added = Array.from({ length: 1_000 }, (_, i) => add(String(i)));
    expect(clock.nextAt).to.equal(100);
    for (const each of added) deadlines.delete(each);
    clock.advance(100);
    expect(clock.nextAt).to.equal(undefined);
    add('later');
    expect(clock.nextAt).to.equal(200);
  });

  it('may be told of an item that is over, and goes on with the others', () => {
    const { clock, overdue, deadlines, add } = watch(100);
    const a = add('a');
    clock.advance(100);
    add('b');
    deadlines.delete(a);
    clock.advance(100);
    expect(overdue.map(([item]) => item)).to.deep.equal(['a', 'b']);
  });

  it('tells nothing after stop', () => {
    const { clock, overdue, deadlines, add } = watch(100);
    const a = add('a');
    deadlines.stop();
    deadlines.delete(a);
    clock.advance(1_000);
    expect(overdue).to.deep.equal([]);
  });

  it('may be added to while it tells', () => {
    const clock = new VirtualClock(0);
    const told: string[] = [];
    const deadlines = new Deadlines<string>(clock, 10, (item) => {
      told.push(item);
      if (item === 'first') deadlines.add('second', clock.now());
    });
    deadlines.add('first', 0);
    clock.advance(10);
    expect(told).to.deep.equal(['first']);
    clock.advance(10);
    expect(told).to.deep.equal(['first', 'second']);
  });
});
