import { connect } from 'amqplib';
import { kindOf } from '../kind.js';
import type { Scenario } from '../scenario.js';
import type { Stage } from '../stage.js';

/**
 * A queue that is deleted takes its messages with it, whoever reads it; so the lane that is deleted is empty at that
 * moment: urgent jobs, the only ones on it, are held back until all of them are completed. The other lane, consumed on
 * the same channel, is under load all the time.
 */
export const queueDeleted: Scenario = {
  name: 'queue-deleted',
  does: 'The lane of the urgent jobs is deleted under its consumers, at a moment when it is empty; producers go on at once.',
  seconds: 25,
  recoveryBarMs: 2_000,
  async faults(stage) {
    await stage.times(8, 3, async () => {
      await stage.calm(500, 1_500);
      await emptyUrgentLane(stage);
      const over = stage.begins('lane of the urgent jobs deleted', stage.workers, 'urgent');
      await deleteQueue(stage.broker.url, `${stage.prefix}.work.p1`);
      over();
      for (const producer of stage.producers) producer.tell('urgent');
      await stage.flowing('urgent');
    });
    await stage.calm(2_000);
  },
};

async function emptyUrgentLane(stage: Stage): Promise<void> {
  await Promise.all(
    stage.producers.map(async (producer) => {
      const held = producer.heard('no-urgent');
      producer.tell('no-urgent');
      await held;
    }),
  );
  await stage.until(() => stage.progress.open((id) => kindOf(id) === 'urgent').toComplete === 0, 20);
}

async function deleteQueue(url: string, queue: string): Promise<void> {
  const model = await connect(url);
  const channel = await model.createChannel();
  await channel.deleteQueue(queue);
  await model.close();
}
