import type { Scenario } from '../scenario.js';

export const workerStop: Scenario = {
  name: 'worker-stop',
  does: 'SIGSTOP of a worker for 20 s (short form: 8 s, with a heartbeat of 2 s), so that the broker gives its jobs to others while it still holds them.',
  heartbeatS: (short) => (short ? 2 : undefined),
  seconds: 50,
  recoveryBarMs: 2_000,
  async faults(stage) {
    await stage.times(2, 1, async () => {
      await stage.calm(1_000, 2_000);
      const worker = stage.random.pick(stage.workers);
      const over = stage.begins(`SIGSTOP of ${worker.name}`, [worker]);
      worker.signal('SIGSTOP');
      await stage.pause(stage.short ? 8_000 : 20_000);
      worker.signal('SIGCONT');
      over();
    });
    await stage.calm(2_000);
  },
};
