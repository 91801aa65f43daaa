import { expect } from 'chai';
import { defaultRules, findAlerts, type Situation } from '../../src/alerts/alert-rules.js';

const quiet: Situation = {
  now: 1_000_000,
  lagMs: undefined,
  queues: ['email'],
  lanes: async () => [],
  oldestWaiting: async () => undefined,
  minutes: async () => [],
};

describe('the rules of alerts', () => {
  it('find nothing where nothing is known', async () => {
    expect(await findAlerts(defaultRules, quiet)).to.deep.equal([]);
  });

  it('tell records that are too far behind, once for all queues', async () => {
    const rules = [{ rule: 'projection-lag', aboveMs: 60_000 }] as const;
    const found = (lagMs: number) => findAlerts(rules, { ...quiet, queues: ['email', 'media'], lagMs });
    expect(await found(60_000)).to.deep.equal([]);
    expect(await found(180_000)).to.deep.equal([
      {
        ...{ id: 'projection-lag:projection', rule: 'projection-lag', subject: 'projection' },
        ...{ value: 180_000, above: 60_000, text: 'the records are 3 minutes behind the events' },
      },
    ]);
    expect(await findAlerts(defaultRules, { ...quiet, lagMs: 61_000 })).to.have.length(1);
  });
});
