import type { Verdict } from '../checker.js';
import type { History } from '../history.js';
import type { Scenario } from '../scenario.js';
import type { EffectsSettings } from '../effects-worker.js';
import type { Stage } from '../stage.js';

const entry = new URL('../effects-worker.js', import.meta.url);

/** Workers whose jobs leave a row each. About a dozen processes of a run of 20,000 jobs die between effect and ack. */
function workers(settings: Pick<EffectsSettings, 'idempotent'> & Partial<EffectsSettings>) {
  return { entry, settings: { lastOf: 0, seed: 1, ...settings } satisfies EffectsSettings };
}
const dying = { lastOf: 1 / 1_500 };

async function killWorkers(stage: Stage): Promise<void> {
  await stage.times(12, 3, async () => {
    await stage.calm(1_000, 3_000);
    const worker = stage.random.pick(stage.workers);
    const over = stage.begins(`SIGKILL of ${worker.name}`, [worker]);
    await worker.kill();
    over();
    await worker.ready();
  });
  await stage.calm(3_000);
}

export const effects: Scenario = {
  name: 'effects',
  does: 'Workers are killed by SIGKILL, at random and between effect and ack; each job adds a row to a PostgreSQL, with `idempotency` and a JobTransaction.',
  store: { holds: 'effects' },
  workers: workers({ idempotent: true, ...dying }),
  seconds: 75,
  faults: killWorkers,
  judge: effectsOnce,
};

export const effectsControl: Scenario = {
  ...effects,
  name: 'effects-control',
  does: 'The same without `idempotency`: there must be doubled rows, or the fault proves nothing.',
  workers: workers({ idempotent: false, ...dying }),
  judge: notOnce,
};

export const storeRestarted: Scenario = {
  ...effects,
  name: 'store-restarted',
  does: 'PostgreSQL ends at once, with all its sessions, and is started again.',
  workers: workers({ idempotent: true }),
  async faults(stage) {
    const { postgres } = stage.store;
    await stage.times(4, 1, async () => {
      await stage.calm(3_000, 6_000);
      const over = stage.begins('PostgreSQL restarted');
      await postgres.kill();
      await postgres.start();
      over();
      await stage.flowing();
    });
    await stage.calm(3_000);
  },
};

export const storeAway: Scenario = {
  ...effects,
  name: 'store-away',
  does: 'The store cannot be reached for 20 s: connections are cut, new ones refused. Jobs snooze, and none of them dies of it.',
  workers: workers({ idempotent: true }),
  store: { holds: 'effects', throughProxy: true },
  async faults(stage) {
    const { proxy } = stage.store;
    await stage.times(2, 1, async () => {
      await stage.calm(4_000, 6_000);
      const over = stage.begins('store unreachable');
      proxy.refuse(true);
      proxy.cut();
      await stage.pause(20_000);
      proxy.refuse(false);
      over();
      await stage.flowing();
    });
    await stage.calm(3_000);
  },
  judge: (verdict, history) => [...effectsOnce(verdict), ...postponed(history)],
};

/** Whether each job left its effect once. */
export function effectsOnce({ effects }: Pick<Verdict, 'effects'>): string[] {
  const { doubled = [], missing = [] } = effects ?? {};
  return [
    ...(effects ? [] : ['no effects were kept']),
    ...(doubled.length > 0 ? [`${doubled.length} effects doubled: ${doubled.slice(0, 5).join(', ')}`] : []),
    ...(missing.length > 0 ? [`${missing.length} effects missing: ${missing.slice(0, 5).join(', ')}`] : []),
  ];
}

/** Whether the fault is one that idempotency is needed for. */
export function notOnce({ effects }: Pick<Verdict, 'effects'>): string[] {
  const strong = (effects?.doubled.length ?? 0) > 0;
  return [
    ...(strong ? [] : ['no effect is doubled without idempotency: the fault is not strong enough']),
    ...effectsOnce({ effects: effects && { ...effects, doubled: [] } }),
  ];
}

/** Whether jobs came back because the store was away. */
export function postponed({ events }: Pick<History, 'events'>): string[] {
  const some = events.some(({ what }) => what === 'postponed');
  return some ? [] : ['no job snoozed while the store was away: the fault is not strong enough'];
}
