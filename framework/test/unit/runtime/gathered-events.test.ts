import { expect } from 'chai';
import fc from 'fast-check';
import { GatheredEvents } from '../../../src/runtime/gathered-events.js';

const text = fc.string({ unit: 'binary', maxLength: 50 });

describe('GatheredEvents', () => {
  it('is the JSON of all that was added, with payloads in their events', () => {
    const events = fc.array(
      fc.record({ note: text, payload: fc.option(fc.jsonValue(), { nil: undefined }) }),
    );
    fc.assert(
      fc.property(text, events, fc.integer({ min: 0, max: 5_000 }), (from, all, likelyBytes) => {
        const batch = new GatheredEvents(`{"from":${JSON.stringify(from)},"events":[`, likelyBytes);
        for (const { note, payload } of all) {
          const json = payload === undefined ? undefined : JSON.stringify(payload);
          batch.add(JSON.stringify({ note }), json, undefined);
        }
        expect(batch.count).to.equal(all.length);
        // What was no whole character is none any more.
        expect(JSON.parse(batch.close().toString())).to.deep.equal(
          JSON.parse(Buffer.from(JSON.stringify({ from, events: all })).toString()),
        );
      }),
    );
  });

  it('is full after 1,000 events, or half a megabyte', () => {
    const many = new GatheredEvents('[', 100);
    for (let i = 0; i < 999; i++) many.add('{}', undefined, undefined);
    expect(many.full).to.equal(false);
    many.add('{}', undefined, undefined);
    expect(many.full).to.equal(true);
    const long = new GatheredEvents('[', 100);
    long.add('{}', JSON.stringify('x'.repeat(512 * 1024)), undefined);
    expect(long.full).to.equal(true);
  });

  it('tells each who waits for it, once', () => {
    const batch = new GatheredEvents('[', 100);
    let told = 0;
    batch.add('{}', undefined, () => told++);
    batch.add('{}', undefined, undefined);
    batch.add('{}', undefined, () => told++);
    expect(batch.awaited).to.equal(true);
    batch.release();
    expect(batch.awaited).to.equal(false);
    batch.release();
    expect(told).to.equal(2);
  });
});
