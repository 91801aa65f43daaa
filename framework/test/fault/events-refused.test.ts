import { expect } from 'chai';
import { eventsStream } from '../../src/model/topology.js';
import { useStage } from '../flow/stage.js';
import { lone, working } from '../flow/working.js';

describe('a queue in place of the event stream that is full and takes nothing', function () {
  this.timeout(30_000); // outcomes wait for five seconds, once
  const stage = useStage();

  it('loses no job and holds none up for longer than that', async () => {
    const contract = lone('events-refused');
    const channel = await stage.channel();
    const name = eventsStream(stage.prefix);
    await channel.assertQueue(name, {
      arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' },
    });
    stage.atEnd(() => channel.deleteQueue(name));
    const ran: string[] = [];
    const handler = working(contract, ({ note }) => void ran.push(note));
    const service = await stage.start({ handlers: [handler], queues: { 'events-refused': { concurrency: 10, prefetch: 20 } } }); // prettier-ignore
    const notes = Array.from({ length: 200 }, (_, i) => String(i));
    await stage.client.enqueueMany(
      contract,
      notes.map((note) => ({ note })),
    );
    // More than are in hand at once: the first must have been acked for the last to run.
    await stage.signals.when(() => ran.length === notes.length, 'all jobs to run');
    expect(ran.sort()).to.deep.equal(notes.sort());
    await service.stop();
    expect(await stage.ready(`${stage.prefix}.events-refused`)).to.equal(0);
  });
});
