import { expect } from 'chai';
import fc from 'fast-check';
import type { RailEvent } from '../../../src/model/event.js';
import { EventWriter } from '../../../src/model/event-json.js';

const moment = fc.nat(4e12);
const rarely = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const facts = fc.record({
  enqueuedAt: moment,
  dueAt: rarely(moment),
  expiresAt: rarely(moment),
  priority: rarely(fc.nat(9)),
  rootId: rarely(fc.string({ unit: 'binary' })),
  causationId: rarely(fc.string()),
  traceId: rarely(fc.string()),
  producer: rarely(fc.string({ unit: 'binary' })),
});

const completed: fc.Arbitrary<RailEvent> = fc.record({
  kind: fc.constant('completed' as const),
  job: fc.string({ unit: 'binary' }),
  contract: fc.constantFrom('mail.send', 'say "hi"'),
  queue: fc.constantFrom('mail', 'läng\nst'),
  attempt: fc.integer({ min: 1 }),
  at: moment,
  startedAt: moment,
  replays: rarely(fc.nat()),
  facts: rarely(facts),
  resultBytes: fc.nat(),
  result: rarely(fc.jsonValue()),
});

const snoozed: fc.Arbitrary<RailEvent> = completed.map((event) => ({
  ...(event as object as Extract<RailEvent, { kind: 'snoozed' }>),
  kind: 'snoozed',
  nextAt: 5,
}));

describe('EventWriter', () => {
  it('writes what JSON.stringify would, of any events in a row', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(completed, snoozed)), (events) => {
        const writer = new EventWriter();
        expect(events.map((event) => writer.write(event))).to.deep.equal(
          events.map((event) => JSON.stringify(event)),
        );
      }),
    );
  });
});
