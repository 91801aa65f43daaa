import { startsOf } from '../checker.js';
import { Poison } from '../contracts.js';
import type { History } from '../history.js';
import { isPoison, jobId, kindOf, type PoisonKind, poisons } from '../kind.js';
import { Ledger, ledgerPath } from '../ledger.js';
import type { Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';
import { JobClient } from 'jobrail';

/** A job that kills its process gets so many tries. */
const crashes = 3;

export const poison: Scenario = {
  name: 'poison',
  does: 'Jobs that kill their process among good ones: process.abort(), an endless loop (watchdog after 2 s) and exhausted memory (80 MB); one after another, then three at once.',
  workers: { nodeOptions: ['--max-old-space-size=80'], watchdogMs: 2_000 },
  withFatal: false,
  seconds: 60,
  async faults(stage) {
    const { url } = stage.broker;
    const client = new JobClient({ url, prefix: stage.prefix, name: 'poisoner' });
    const ledger = new Ledger(ledgerPath(stage.folder, 'poisoner'));
    let index = 0;
    const give = async (kind: PoisonKind, name: string) => {
      const id = jobId(name, index++, kind);
      ledger.write('intent', id);
      await client.enqueue(Poison, { kind }, { id });
      ledger.write('confirmed', id);
    };
    await stage.times(2, 1, async () => {
      for (const kind of poisons) {
        await stage.calm(300, 800);
        await give(kind, 'alone');
        await deadIs(stage, index);
      }
    });
    if (!stage.short) {
      await Promise.all(poisons.map((kind) => give(kind, 'together')));
      await deadIs(stage, index);
    }
    await client.close();
    await stage.calm(2_000);
  },
  judge: (_verdict, history) => [...wronglyTried(history), ...notDead(history)],
};

/** Resolves when so many poisoned jobs are dead. */
async function deadIs(stage: Stage, count: number): Promise<void> {
  const { survey } = stage;
  await stage.until(async () => (await survey.deadCount()) >= count, 100);
}

/** One that was alone must have had three tries; of several at once each is in hand when another one kills. */
function wronglyTried({ events }: History): string[] {
  const starts = startsOf(events, (id) => isPoison(kindOf(id)));
  return [...starts].flatMap(([id, count]) => {
    const wanted = id.startsWith('alone') ? count === crashes : count <= crashes;
    return wanted ? [] : [`${id} was started ${count} times instead of ${crashes}`];
  });
}

function notDead({ events, dead }: History): string[] {
  const crashed = new Set(dead.filter(({ reason }) => reason === 'crashed').map(({ id }) => id));
  const given = events.filter(({ what, id }) => what === 'confirmed' && isPoison(kindOf(id)));
  return given.filter(({ id }) => !crashed.has(id)).map(({ id }) => `${id} is not dead by its crashes`);
}
