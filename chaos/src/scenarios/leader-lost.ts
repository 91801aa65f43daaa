import type { PrivateBroker } from '../machinery.js';
import type { Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';

export const leaderLost: Scenario = {
  name: 'leader-lost',
  does: 'SIGKILL of the node of a three-node cluster that leads the main lane; it is started again and rejoins.',
  nodes: 3,
  seconds: 50,
  recoveryBarMs: 2_000,
  async faults(stage) {
    await stage.times(3, 1, async () => {
      await stage.calm(1_500, 3_000);
      const leader = await leaderOf(stage, `${stage.prefix}.work`);
      // The two others accept connections all the time, so the recovery is counted from the kill.
      const over = stage.begins('SIGKILL of the leader');
      await leader.kill();
      over();
      await stage.flowing();
      await stage.calm(3_000);
      await leader.start();
    });
    await stage.calm(3_000);
  },
};

async function leaderOf({ nodes, broker }: Stage, queue: string): Promise<PrivateBroker> {
  const listed = await broker.ctl(['--silent', 'list_queues', 'name', 'leader']);
  const leader = listed
    .split('\n')
    .find((line) => line.startsWith(`${queue}\t`))
    ?.split('\t')[1]
    ?.trim();
  const found = nodes.find((node) => node.name === leader);
  if (!found) throw new Error(`No node leads ${queue}: ${listed}`);
  return found;
}
