import type { Scenario } from '../scenario.js';

export const slowNetwork: Scenario = {
  name: 'slow-network',
  does: 'Each byte 200 ms late in both directions; then 64 KiB/s a connection and direction.',
  throughProxy: true,
  seconds: 35,
  recoveryBarMs: 2_000,
  async faults(stage) {
    const { proxy } = stage;
    await stage.calm(1_000, 2_000);
    const late = stage.begins('200 ms delay');
    proxy.delay(200);
    await stage.pause(stage.short ? 3_000 : 10_000);
    proxy.delay(0);
    late();
    await stage.calm(2_000);
    const narrow = stage.begins('64 KiB/s');
    proxy.throttle(64 * 1024);
    await stage.pause(stage.short ? 3_000 : 10_000);
    proxy.throttle(Infinity);
    narrow();
    await stage.calm(2_000);
  },
};
