import { badEnding, gracePatienceMs } from '../crew.js';
import type { Member } from '../member.js';
import type { Scenario } from '../scenario.js';

export const rollingDeploy: Scenario = {
  name: 'rolling-deploy',
  does: 'SIGTERM under load: every worker and producer in turn, each started again when it has ended; then all at once.',
  withFatal: false,
  seconds: 30,
  async faults(stage) {
    const members = [...stage.workers, ...stage.producers];
    const badEndings: string[] = [];
    const redeploy = async (deployed: readonly Member[]) => {
      const workers = deployed.filter((member) => stage.workers.includes(member));
      const over = stage.begins(`SIGTERM of ${deployed.map(({ name }) => name).join(', ')}`, workers);
      await Promise.all(
        deployed.map(async (member) => {
          badEndings.push(...badEnding(member.name, await member.stop(gracePatienceMs)));
          await member.start();
        }),
      );
      over();
    };
    await stage.times(3, 1, async () => {
      for (const member of members) {
        await stage.calm(100, 500);
        await redeploy([member]);
      }
    });
    await stage.calm(500);
    await redeploy(members);
    if (badEndings.length > 0) throw new Error(badEndings.join('; '));
    await stage.calm(1_500);
  },
  judge: ({ duplicateRuns, dead, doubled }) => [
    ...(duplicateRuns > 0 ? [`${duplicateRuns} runs twice, ${doubled.length} of them to the end`] : []),
    ...(dead > 0 ? [`${dead} jobs dead`] : []),
  ],
};
