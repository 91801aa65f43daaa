import { expect } from 'chai';
import fc from 'fast-check';
import { Fifo } from '../../../src/base/fifo.js';

describe('Fifo', () => {
  it('gives items in the order they came, over any mix of steps', () => {
    const steps = fc.array(
      fc.oneof(
        fc.nat(99).map((item) => ({ push: item })),
        fc.constant('shift' as const),
      ),
    );
    fc.assert(
      fc.property(steps, (all) => {
        const line = new Fifo<number>();
        const model: number[] = [];
        for (const step of all) {
          if (step === 'shift') expect(line.shift()).to.equal(model.shift());
          else model.push((line.push(step.push), step.push));
          expect(line.size).to.equal(model.length);
          expect(line.peek()).to.equal(model[0]);
        }
        expect(line.drain()).to.deep.equal(model);
        expect(line.size).to.equal(0);
      }),
    );
  });

  it('holds many', () => {
    const line = new Fifo<number>();
    for (let i = 0; i < 10_000; i++) line.push(i);
    for (let i = 0; i < 5_000; i++) expect(line.shift()).to.equal(i);
    for (let i = 10_000; i < 12_000; i++) line.push(i);
    for (let i = 5_000; i < 12_000; i++) expect(line.shift()).to.equal(i);
    expect(line.shift()).to.equal(undefined);
  });

  it('puts an item before the first that it precedes', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9)), fc.nat(5), (items, taken) => {
        const line = new Fifo<number>();
        for (const item of items) line.insert(item, (other) => item < other);
        const sorted = [...items].sort((a, b) => a - b);
        for (const expected of sorted.splice(0, taken)) {
          expect(line.shift()).to.equal(expected);
          line.insert(expected, (other) => expected < other);
          expect(line.shift()).to.equal(expected);
        }
        expect(line.drain()).to.deep.equal(sorted);
      }),
    );
  });
});
