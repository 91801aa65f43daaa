import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { play } from '../../src/play.js';
import { Random } from '../../src/random.js';
import type { Scenario } from '../../src/scenario.js';
import type { ScenarioSettings } from '../../src/scenario-settings.js';
import { effects, effectsControl } from '../../src/scenarios/effects.js';
import type { Stage } from '../../src/stage.js';

const url = process.env['AMQP_URL'];
const database = process.env['DATABASE_URL'];

(url ? describe : describe.skip)('a run with workers that are killed', function () {
  this.timeout(60_000);

  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'jobrail-chaos-test-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  /** All workers are killed once, under load; then everything that can still happen is waited for. */
  async function killAll(stage: Stage): Promise<void> {
    for (const worker of stage.workers) {
      await stage.flowing();
      await worker.kill();
    }
    await stage.crew.finishProducing();
    await stage.until(async () => (await stage.survey.waiting()) === 0, 100);
  }

  function playWith(
    workers: ScenarioSettings['workers'],
    faults: (stage: Stage) => Promise<void>,
    more: Partial<Scenario> = {},
  ) {
    const unused = () => Promise.reject(new Error('this server is not ours'));
    const unusable = { kill: unused, start: async () => {}, stop: unused };
    const node = { ...unusable, url: url!, name: 'shared', ctl: unused };
    return play({
      scenario: {
        name: `killed-${randomInt(1e9).toString(36)}`,
        does: '',
        seconds: 4,
        withFatal: false,
        ...(workers && { workers }),
        faults,
        ...more,
      },
      ...(database !== undefined && { postgres: { ...unusable, url: database } }),
      nodes: [node],
      guard: { guardProcess: () => undefined, releaseProcess: () => undefined },
      folder,
      prefix: `chaos-test-${randomInt(1e9).toString(36)}`,
      jobs: 600,
      random: new Random(7),
      short: false,
      note: () => undefined,
      signal: AbortSignal.timeout(45_000),
    });
  }

  it('loses nothing where they are Jobrail’s', async () => {
    const { verdict, faultsFound } = await playWith(undefined, killAll);
    expect(faultsFound).to.deep.equal([]);
    expect(verdict).to.deep.include({ jobs: 600, confirmed: 600, completed: 600, lost: [] });
  });

  it('is found out where they ack before the work is done', async () => {
    const entry = new URL('../fixtures/careless-worker.js', import.meta.url);
    const { verdict, faultsFound } = await playWith({ entry }, async (stage) => {
      await killAll(stage);
      throw new Error('what is lost does not come by waiting');
    });
    expect(verdict.lost).to.not.deep.equal([]);
    expect(faultsFound.some((sentence) => /^\d+ lost: producer-/.test(sentence))).to.equal(true);
  });

  (database ? describe : describe.skip)('between effect and ack', () => {
    for (const [what, { store, workers, judge }, found] of [
      ['has each effect once where they are idempotent', effects, []],
      [
        'is found out where they are naive',
        { ...effectsControl, judge: effects.judge! },
        [/effects doubled/],
      ],
    ] as const) {
      it(what, async () => {
        // So many that some of 600 jobs are the last of their process.
        const dying = { ...workers, settings: { ...workers?.settings, lastOf: 1 / 100 } };
        const faults = (stage: Stage) => stage.flowing();
        const { verdict, faultsFound } = await playWith(dying, faults, { store: store!, judge: judge! });
        expect(verdict.effects?.missing).to.deep.equal([]);
        expect(faultsFound).to.have.length(found.length);
        for (const [i, pattern] of found.entries()) expect(faultsFound[i]).to.match(pattern);
      });
    }
  });
});
