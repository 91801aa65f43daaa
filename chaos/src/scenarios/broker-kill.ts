import type { Scenario } from '../scenario.js';

export const brokerKill: Scenario = {
  name: 'broker-kill',
  does: 'SIGKILL of the broker and a start on its data, and once a stop in good order.',
  seconds: 35,
  recoveryBarMs: 2_000,
  async faults(stage) {
    const { broker } = stage;
    await stage.times(4, 2, async (round) => {
      await stage.calm(1_000, 2_500);
      const kindly = round === 1;
      const over = stage.begins(kindly ? 'broker stopped' : 'SIGKILL of the broker');
      await (kindly ? broker.stop({ keepData: true }) : broker.kill());
      await broker.start();
      over();
      await stage.flowing();
    });
    await stage.calm(3_000);
  },
};
