import type { Scenario } from '../scenario.js';

export const connectionCut: Scenario = {
  name: 'connection-cut',
  does: 'TCP resets between the processes and the broker: some connections, all of them, and all with two seconds in which new ones are reset too.',
  throughProxy: true,
  seconds: 30,
  recoveryBarMs: 2_000,
  async faults(stage) {
    const { proxy, random } = stage;
    await stage.times(6, 2, async () => {
      await stage.calm(300, 900);
      const some = stage.begins('some connections cut');
      proxy.cut(() => random.next() < 0.5);
      some();
      await stage.calm(300, 900);
      const all = stage.begins('all connections cut');
      proxy.cut();
      all();
      await stage.calm(300, 900);
      const refused = stage.begins('all connections cut, new ones refused');
      proxy.refuse(true);
      proxy.cut();
      await stage.pause(2_000);
      proxy.refuse(false);
      refused();
    });
    await stage.calm(3_000);
  },
};
