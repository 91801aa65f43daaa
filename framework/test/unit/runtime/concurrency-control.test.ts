import { expect } from 'chai';
import { ConcurrencyControl } from '../../../src/runtime/concurrency-control.js';
import { Simulation, type SimulatedHandler } from './simulated-handler.js';

const bounds = { from: 10, min: 1, max: 1_000 };

function simulate(handler: SimulatedHandler, given = bounds): Simulation {
  return new Simulation(new ConcurrencyControl(given), handler);
}

describe('ConcurrencyControl', () => {
  const handlers: Record<string, SimulatedHandler> = {
    'waits 5 ms': { waitMs: 5, cpuMs: 0.05 },
    'waits 100 ms': { waitMs: 100, cpuMs: 0.05 },
    'computes for 20 ms': { waitMs: 0, cpuMs: 20 },
    'computes for 0.1 ms': { waitMs: 0, cpuMs: 0.1 },
    'waits and computes': { waitMs: 30, cpuMs: 3 },
    'waits for something that does 40 at a time': { waitMs: 20, cpuMs: 0.05, downstream: 40 },
  };
  for (const [what, handler] of Object.entries(handlers)) {
    it(`comes to 90 % of the best setting within 10 s for a handler that ${what}, and stays there`, () => {
      const simulation = simulate(handler);
      simulation.run(10);
      for (let second = 0; second < 60; second++) {
        simulation.run(1);
        if (second % 10 < 8) continue; // a step down that is tried costs for a moment
      }
      expect(simulation.rate).to.be.at.least(0.9 * simulation.best(bounds.max));
    });
  }

  it('uses no more slots than bring something', () => {
    const most = { 'computes for 20 ms': 2, 'waits for something that does 40 at a time': 80 };
    for (const [what, limit] of Object.entries(most)) {
      const simulation = simulate(handlers[what]!);
      simulation.run(60);
      expect(simulation.control.limit, what).to.be.at.most(limit);
    }
  });

  it('follows a handler that becomes slower, and quick again, within 10 s each', () => {
    const simulation = simulate({ waitMs: 5, cpuMs: 0.05 });
    simulation.run(15);
    for (const waitMs of [200, 5, 200, 5]) {
      simulation.handler = { waitMs, cpuMs: 0.05 };
      simulation.run(10);
      expect(simulation.rate, `waits ${waitMs} ms`).to.be.at.least(0.9 * simulation.best(bounds.max));
    }
  });

  it('backs off when what the handlers wait for can do less than before', () => {
    const simulation = simulate({ waitMs: 20, cpuMs: 0.05, downstream: 200 });
    simulation.run(15);
    expect(simulation.control.limit).to.be.at.least(150);
    simulation.handler = { waitMs: 20, cpuMs: 0.05, downstream: 20 };
    simulation.run(10);
    expect(simulation.control.limit).to.be.at.most(60);
    expect(simulation.rate).to.be.at.least(0.9 * simulation.best(bounds.max));
  });

  it('keeps within its bounds', () => {
    const narrow = simulate({ waitMs: 100, cpuMs: 0.05 }, { from: 10, min: 8, max: 33 });
    narrow.run(20);
    expect(narrow.control.limit).to.equal(33);
    narrow.handler = { waitMs: 0, cpuMs: 20 };
    narrow.run(20);
    expect(narrow.control.limit).to.equal(8);
    narrow.also = { memory: 0.99 };
    narrow.run(20);
    expect(narrow.control.limit).to.equal(8);
  });

  it('halves at once, and again each second, while memory runs out, and grows only when it is calm', () => {
    const simulation = simulate({ waitMs: 100, cpuMs: 0.05 });
    simulation.run(10);
    const { limit } = simulation.control;
    simulation.also = { memory: 0.95 };
    simulation.run(0.1);
    expect(simulation.control.limit).to.equal(Math.floor(limit / 2));
    simulation.run(1);
    expect(simulation.control.limit).to.equal(Math.floor(limit / 4));
    simulation.run(15);
    expect(simulation.control.limit).to.equal(1);
    simulation.also = { memory: 0.8 };
    simulation.run(10);
    expect(simulation.control.limit).to.equal(1);
    simulation.also = {};
    simulation.run(20);
    expect(simulation.control.limit).to.be.at.least(500);
  });

  it('halves when the loop is late, and stays so when that helps', () => {
    const simulation = simulate({ waitMs: 100, cpuMs: 0.05 });
    simulation.run(10);
    const { limit } = simulation.control;
    simulation.also = { lagMs: 800 };
    simulation.run(0.3);
    expect(simulation.control.limit).to.equal(Math.floor(limit / 2));
    simulation.also = { lagMs: 20 };
    simulation.run(30);
    expect(simulation.control.limit).to.be.at.most(0.75 * limit);
  });

  it('lets a late loop be when fewer slots do not help: somebody else keeps it busy', () => {
    const simulation = simulate({ waitMs: 100, cpuMs: 0.05 });
    simulation.run(10);
    const { limit } = simulation.control;
    simulation.also = { lagMs: 400 };
    simulation.run(5);
    expect(simulation.control.limit).to.equal(limit);
  });

  it('concludes nothing from slots that stood empty', () => {
    const simulation = simulate({ waitMs: 100, cpuMs: 0.05 });
    simulation.also = { hungry: 1_000, slotMs: 100 };
    simulation.run(60);
    expect(simulation.control.limit).to.equal(bounds.from);
  });

  it('keeps a step up by which more is done although slots stand empty, and goes on when they are filled', () => {
    for (const waitMs of [5, 100]) {
      const simulation = simulate({ waitMs, cpuMs: 0.02 });
      while (simulation.control.limit < 160) simulation.run(0.1);
      simulation.also = { hungry: 1_000, slotMs: 100 };
      simulation.run(10);
      expect(simulation.control.limit, `waits ${waitMs} ms`).to.equal(160);
      simulation.also = {};
      simulation.run(2);
      expect(simulation.control.limit, `waits ${waitMs} ms`).to.be.at.least(320);
    }
  });

  it('gives up a step by which no more is done when slots stand empty', () => {
    const simulation = simulate({ waitMs: 20, cpuMs: 0.05, downstream: 10 });
    while (simulation.control.limit === 10) simulation.run(0.1);
    simulation.also = { hungry: 1_000, slotMs: 100 };
    simulation.run(5);
    expect(simulation.control.limit).to.equal(10);
  });

  it('goes on where slots stand empty for moments only, between one crowd of jobs that ends at once and the next', () => {
    const simulation = simulate({ waitMs: 200, cpuMs: 0.02 });
    simulation.also = { hungry: 1_000 };
    simulation.run(10);
    expect(simulation.control.limit).to.equal(1_000);
  });

  it('has no more slots than jobs may be in hand', () => {
    const simulation = simulate({ waitMs: 100, cpuMs: 0.05 });
    simulation.also = { most: 25 };
    simulation.run(20);
    expect(simulation.control.limit).to.equal(25);
    simulation.also = { most: 4 };
    simulation.run(0.1);
    expect(simulation.control.limit).to.equal(4);
  });
});
