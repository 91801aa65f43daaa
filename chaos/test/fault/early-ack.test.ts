import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { play } from '../../src/play.js';
import { Random } from '../../src/random.js';
import type { ScenarioSettings } from '../../src/scenario-settings.js';
import type { Stage } from '../../src/stage.js';

const url = process.env['AMQP_URL'];

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

  function playWith(workers: ScenarioSettings['workers'], faults: (stage: Stage) => Promise<void>) {
    const unused = () => Promise.reject(new Error('this broker is not ours'));
    const node = {
      url: url!,
      name: 'shared',
      kill: unused,
      start: async () => {},
      stop: unused,
      ctl: unused,
    };
    return play({
      scenario: {
        name: 'killed',
        does: '',
        seconds: 4,
        withFatal: false,
        ...(workers && { workers }),
        faults,
      },
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
});
