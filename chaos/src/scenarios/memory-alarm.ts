import type { Scenario } from '../scenario.js';

export const memoryAlarm: Scenario = {
  name: 'memory-alarm',
  does: 'The broker raises its memory alarm and blocks publishers: 4 s, and 15 s, which is longer than a publish waits.',
  seconds: 40,
  recoveryBarMs: 2_000,
  async faults(stage) {
    const { broker } = stage;
    for (const seconds of stage.short ? [4] : [4, 15]) {
      await stage.calm(1_500, 2_500);
      const over = stage.begins('memory alarm');
      await broker.ctl(['set_vm_memory_high_watermark', '0']);
      await stage.pause(seconds * 1_000);
      await broker.ctl(['set_vm_memory_high_watermark', '0.4']);
      over();
      await stage.flowing();
    }
    await stage.calm(2_000);
  },
};
