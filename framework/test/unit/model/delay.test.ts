import { expect } from 'chai';
import fc from 'fast-check';
import {
  delayRoutingKey,
  type DelayRoute,
  holdMs,
  levels,
  levelTtlMs,
  longestDelayMs,
  marginMs,
  quantumMs,
  radix,
  routeDelay,
  routeMs,
} from '../../../src/model/delay.js';

/** Delays that are long enough for the net, in whole and broken milliseconds, short ones as likely as long ones. */
const routedDelay = fc
  .tuple(fc.double({ min: Math.log(holdMs), max: Math.log(longestDelayMs), noNaN: true }), fc.boolean())
  .map(([log, whole]) =>
    Math.min(longestDelayMs, Math.max(holdMs, whole ? Math.round(Math.exp(log)) : Math.exp(log))),
  );

const edges = [holdMs, holdMs + quantumMs - 1, holdMs + quantumMs, 16 * quantumMs + marginMs, longestDelayMs];
const runs = { numRuns: 2_000, examples: edges.map((ms): [number] => [ms]) };

function route(delayMs: number): DelayRoute {
  const found = routeDelay(delayMs);
  if (!found) throw new Error(`no route for ${delayMs} ms`);
  return found;
}

describe('routeDelay', () => {
  it('leaves to the timer of the worker what is shorter than a quantum and the margin', () => {
    for (const ms of [-5, 0, 1, 300, holdMs - 1, holdMs - 0.001]) expect(routeDelay(ms)).to.equal(undefined);
    expect(routeDelay(holdMs)).to.deep.equal({ level: 0, digits: [1, 0, 0, 0, 0, 0, 0] });
  });

  it('never holds a message so long that the job could be late by the net', () => {
    fc.assert(
      fc.property(routedDelay, (ms) => {
        expect(routeMs(route(ms)) + marginMs).to.be.at.most(ms);
      }),
      runs,
    );
  });

  it('leaves the worker less than a quantum and the margin to hold', () => {
    fc.assert(
      fc.property(routedDelay, (ms) => {
        expect(ms - routeMs(route(ms))).to.be.lessThan(quantumMs + marginMs);
      }),
      runs,
    );
  });

  it('has a digit of the radix for each level, and enters at the highest that is not zero', () => {
    fc.assert(
      fc.property(routedDelay, (ms) => {
        const { digits, level } = route(ms);
        expect(digits).to.have.length(levels);
        for (const digit of digits)
          expect(digit)
            .to.satisfy(Number.isInteger)
            .and.to.be.within(0, radix - 1);
        expect(level).to.equal(digits.findLastIndex((digit) => digit > 0));
      }),
      runs,
    );
  });

  it('makes no delay longer by asking for less', () => {
    fc.assert(
      fc.property(routedDelay, routedDelay, (a, b) => {
        const [shorter, longer] = a < b ? [a, b] : [b, a];
        expect(routeMs(route(shorter))).to.be.at.most(routeMs(route(longer)));
      }),
    );
  });

  it('reaches every delay up to the longest, and holds a longer one as long as it can', () => {
    const { digits, level } = route(longestDelayMs);
    expect(level).to.equal(levels - 1);
    expect(digits[levels - 1]).to.equal(7);
    expect(routeMs(route(longestDelayMs * 100))).to.equal((radix ** levels - 1) * quantumMs);
  });
});

describe('levelTtlMs', () => {
  it('is the weight of a digit at its level', () => {
    expect(levelTtlMs(0, 1)).to.equal(256);
    expect(levelTtlMs(0, 15)).to.equal(3_840);
    expect(levelTtlMs(1, 1)).to.equal(4_096);
    expect(levelTtlMs(6, 7)).to.equal(7 * 16 ** 6 * 256);
  });

  it('stays below the ten years that RabbitMQ takes for a time to live', () => {
    expect(levelTtlMs(levels - 1, radix - 1)).to.be.below(10 * 365 * 86_400_000);
  });
});

describe('delayRoutingKey', () => {
  it('is written highest digit first, and ends in the lane', () => {
    expect(delayRoutingKey({ level: 2, digits: [3, 15, 1, 0, 0, 0, 0] }, 'email~p2')).to.equal(
      '0.0.0.0.1.f.3.email~p2',
    );
  });

  it('has the same depth for every delay, says its digits, and fits the 255 bytes of a routing key', () => {
    const longestToken = `${'q'.repeat(60)}~p9`;
    fc.assert(
      fc.property(routedDelay, (ms) => {
        const key = delayRoutingKey(route(ms), longestToken);
        const words = key.split('.');
        expect(words).to.have.length(levels + 1);
        expect(Number.parseInt(words.slice(0, levels).join(''), radix) * quantumMs).to.equal(
          routeMs(route(ms)),
        );
        expect(words.at(-1)).to.equal(longestToken);
        expect(Buffer.byteLength(key)).to.be.at.most(255);
      }),
      runs,
    );
  });
});
