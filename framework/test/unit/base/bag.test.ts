import { expect } from 'chai';
import fc from 'fast-check';
import { Bag } from '../../../src/base/bag.js';

interface Item {
  name: number;
  place?: number | undefined;
}

describe('Bag', () => {
  it('holds what a Set would, over any mix of steps', () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(9)));
    fc.assert(
      fc.property(steps, (all) => {
        const items = Array.from({ length: 10 }, (_, name): Item => ({ name }));
        const bag = new Bag<Item>();
        const model = new Set<Item>();
        for (const [add, name] of all) {
          const item = items[name]!;
          if (!add) {
            bag.delete(item);
            model.delete(item);
          } else if (!model.has(item)) {
            bag.add(item);
            model.add(item);
          }
          expect(bag.size).to.equal(model.size);
          expect([...bag]).to.have.members([...model]);
        }
      }),
    );
  });
});
