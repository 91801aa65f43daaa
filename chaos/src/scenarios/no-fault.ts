import type { Scenario } from '../scenario.js';

export const noFault: Scenario = {
  name: 'no-fault',
  does: 'Nothing goes wrong: what all the others are held against.',
  seconds: 15,
  faults: (stage) => stage.calm(5_000),
  judge: ({ duplicateRuns, unconfirmedRun, jobs, confirmed }) => [
    ...(duplicateRuns > 0 ? [`${duplicateRuns} jobs ran twice without a fault`] : []),
    ...(unconfirmedRun.length > 0 || confirmed < jobs
      ? [`${jobs - confirmed} jobs were rejected without a fault`]
      : []),
  ],
};
