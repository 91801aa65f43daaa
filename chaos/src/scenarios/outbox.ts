import type { Verdict } from '../checker.js';
import { badEnding, gracePatienceMs } from '../crew.js';
import type { Member } from '../member.js';
import type { Scenario } from '../scenario.js';

const enqueuing = {
  store: { holds: 'orders' },
  producers: { entry: new URL('../outbox-producer.js', import.meta.url) },
  relays: 1,
  seconds: 40,
} as const satisfies Partial<Scenario>;

export const relayKilled: Scenario = {
  ...enqueuing,
  name: 'relay-killed',
  does: 'Jobs are enqueued in PostgreSQL transactions; SIGKILL of the relay in the middle of a batch.',
  async faults(stage) {
    const [relay] = stage.relays as [Member];
    await stage.times(15, 5, async () => {
      await stage.calm(300, 1_200);
      await stage.until(() => stage.store.batchUnderWay(), 1);
      const over = stage.begins(`SIGKILL of ${relay.name} in a batch`);
      await relay.kill();
      await relay.ready();
      over();
    });
    await stage.calm(2_000);
  },
  judge: sentAgain,
};

export const twoRelays: Scenario = {
  ...enqueuing,
  name: 'two-relays',
  does: 'Two relays share the outbox; each in turn is stopped and started again, as by a deployment. Nothing is sent twice.',
  relays: 2,
  async faults(stage) {
    const badEndings: string[] = [];
    await stage.times(6, 2, async (round) => {
      await stage.calm(1_000, 3_000);
      const relay = stage.relays[round % 2]!;
      const over = stage.begins(`SIGTERM of ${relay.name}`);
      badEndings.push(...badEnding(relay.name, await relay.stop(gracePatienceMs)));
      await relay.start();
      over();
    });
    if (badEndings.length > 0) throw new Error(badEndings.join('; '));
    await stage.calm(2_000);
  },
  judge: sentOnce,
};

export const producerKilled: Scenario = {
  ...enqueuing,
  name: 'producer-killed',
  does: 'SIGKILL of a producer right after the COMMIT of a transaction that a job was enqueued in; one in twenty transactions is rolled back.',
  async faults(stage) {
    await stage.times(10, 3, async (round) => {
      await stage.calm(500, 1_500);
      const producer = stage.producers[round % stage.producers.length]!;
      const over = stage.begins(`SIGKILL of ${producer.name} after a commit`);
      await producer.kill(() => producer.tell('die-after-commit'));
      await producer.ready();
      over();
    });
    await stage.calm(2_000);
  },
};

/** A relay that died between the confirms of a batch and its own commit sends it again. */
export function sentAgain({ duplicateRuns }: Pick<Verdict, 'duplicateRuns'>): string[] {
  return duplicateRuns > 0
    ? []
    : [
        'no batch was sent a second time: no kill came between send and delete; the fault is not strong enough',
      ];
}

export function sentOnce({ duplicateRuns }: Pick<Verdict, 'duplicateRuns'>): string[] {
  return duplicateRuns > 0 ? [`${duplicateRuns} jobs were sent twice although no relay died`] : [];
}
