import type { Scenario } from '../scenario.js';

export const workerKill: Scenario = {
  name: 'worker-kill',
  does: 'SIGKILL of random workers, and once of a producer; each is started again.',
  seconds: 25,
  async faults(stage) {
    await stage.times(12, 3, async () => {
      await stage.calm(500, 1_500);
      const worker = stage.random.pick(stage.workers);
      const over = stage.begins(`SIGKILL of ${worker.name}`, [worker]);
      await worker.kill();
      over();
      await worker.ready();
    });
    await stage.random.pick(stage.producers).kill();
    await stage.calm(2_000);
  },
};
