import type { Scenario } from '../scenario.js';

export const halfOpen: Scenario = {
  name: 'half-open',
  does: 'The network stops forwarding without closing anything: 3 s, which nobody notices, and 35 s (short form: 8 s, with a heartbeat of 2 s), after which both sides have given the connections up.',
  throughProxy: true,
  heartbeatS: (short) => (short ? 2 : undefined),
  seconds: 70,
  recoveryBarMs: 2_000,
  async faults(stage) {
    const { proxy } = stage;
    const stall = async (ms: number) => {
      await stage.calm(1_000, 2_000);
      const over = stage.begins('nothing forwarded');
      proxy.stall(true);
      await stage.pause(ms);
      proxy.stall(false);
      over();
      await stage.flowing();
    };
    await stall(3_000);
    await stall(stage.short ? 8_000 : 35_000);
    await stage.calm(3_000);
  },
};
