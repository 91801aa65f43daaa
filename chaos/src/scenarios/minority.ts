import type { PrivateBroker } from '../machinery.js';
import type { Scenario } from '../scenario.js';

export const minority: Scenario = {
  name: 'minority',
  does: 'One node of a three-node cluster is cut off from the others for 15 s; clients still reach it until it pauses itself.',
  nodes: 3,
  seconds: 60,
  recoveryBarMs: 2_000,
  async faults(stage) {
    await stage.times(3, 1, async () => {
      await stage.calm(1_500, 3_000);
      const alone = stage.random.pick(stage.nodes);
      const others = stage.nodes.filter((node) => node !== alone);
      const over = stage.begins(`${alone.name} cut off`);
      await partition(alone, others);
      over(); // the majority accepts connections all the time
      await stage.pause(15_000);
      await heal(alone, others);
      await alone.ctl(['await_startup', '--timeout', '60']);
      await stage.flowing();
    });
    await stage.calm(3_000);
  },
};

/** A node with another cookie for its peers refuses them and is refused: a partition of the cluster's own traffic alone. */
async function partition(alone: PrivateBroker, others: readonly PrivateBroker[]): Promise<void> {
  const each = others.map(
    ({ name }) => `erlang:set_cookie('${name}', partitioned), erlang:disconnect_node('${name}')`,
  );
  await alone.ctl(['eval', `${each.join(', ')}.`]);
}

async function heal(alone: PrivateBroker, others: readonly PrivateBroker[]): Promise<void> {
  const each = others.map(({ name }) => `erlang:set_cookie('${name}', erlang:get_cookie())`);
  await alone.ctl(['eval', `${each.join(', ')}.`]);
}
