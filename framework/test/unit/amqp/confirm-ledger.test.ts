import { expect } from 'chai';
import fc from 'fast-check';
import { ConfirmLedger } from '../../../src/adapters/amqp/confirm-ledger.js';

type Step =
  | { kind: 'send'; count: number }
  | { kind: 'confirm'; at: number; multiple: boolean }
  | { kind: 'forget'; at: number }
  | { kind: 'lost' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('send' as const), count: fc.integer({ min: 1, max: 900 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('confirm' as const),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      multiple: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('forget' as const),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'lost' as const }) },
);

describe('ConfirmLedger', () => {
  it('tells each message once, by its tag or by a later one with "multiple", whatever the order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const ledger = new ConfirmLedger<{ tag: number }>();
        // The model: tag to item, in order.
        const open = new Map<number, { tag: number }>();
        let sent = 0;
        for (const move of steps) {
          if (move.kind === 'send') {
            for (let i = 0; i < move.count; i++) {
              const item = { tag: ++sent };
              expect(ledger.add(item)).to.equal(item.tag);
              open.set(item.tag, item);
            }
          } else if (move.kind === 'confirm') {
            const tag = 1 + Math.floor(move.at * sent); // one beyond the last at times
            const told: number[] = [];
            ledger.settle(tag, move.multiple, (item) => told.push(item.tag));
            const due = [...open.keys()].filter((one) => (move.multiple ? one <= tag : one === tag));
            expect(told).to.deep.equal(tag <= sent ? due : []);
            for (const one of told) open.delete(one);
          } else if (move.kind === 'forget') {
            const tag = [...open.keys()][Math.floor(move.at * (open.size - 1))];
            if (tag === undefined) continue;
            ledger.forget(tag);
            open.delete(tag);
          } else {
            expect(ledger.drain()).to.deep.equal([...open.values()]);
            open.clear();
          }
          expect(ledger.size).to.equal(open.size);
          expect([...ledger]).to.deep.equal([...open.values()]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('may be added to while it tells', () => {
    const ledger = new ConfirmLedger<string>();
    ledger.add('one');
    ledger.add('two');
    const told: string[] = [];
    ledger.settle(2, true, (item) => {
      told.push(item);
      ledger.add(`after ${item}`);
    });
    expect(told).to.deep.equal(['one', 'two']);
    expect([...ledger]).to.deep.equal(['after one', 'after two']);
    expect(ledger.add('last')).to.equal(5);
  });
});
