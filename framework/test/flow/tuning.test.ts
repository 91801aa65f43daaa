import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import { useStage } from './stage.js';
import { gate, lone, working } from './working.js';

describe('concurrency and prefetch that are not given', () => {
  const stage = useStage();

  it('grow while jobs wait and more at a time bring more, within the bounds', async () => {
    const contract = lone('tuned-up');
    let begun = 0;
    const handler = working(contract, () => {
      begun++;
      return sleep(20); // it is what the handler does, not a wait of this test
    });
    const queues = { [contract.queue.name]: { concurrency: { min: 2, max: 40 } } };
    const service = await stage.start({ handlers: [handler], queues });
    const load = () => service.load[contract.queue.name]!;
    expect(load().concurrency).to.equal(10);
    const grown = () => load().concurrency === 40 && load().prefetch > 40;
    for (let sent = 0; !grown();) {
      const jobs = Array.from({ length: 1_000 }, () => ({ note: '' }));
      await stage.client.enqueueMany(contract, jobs);
      sent += jobs.length;
      // However long it takes on a busy machine, jobs wait.
      await stage.signals.when(() => grown() || begun > sent - 800, '40 slots, or 200 jobs');
    }
    await service.stop();
    const ids = stage.signals.of({ what: 'began' }).map(({ id }) => id);
    expect(new Set(ids).size, 'jobs that began').to.equal(ids.length);
  }).timeout(60_000);

  it('hold little beyond what runs, so that another worker has something to do', async () => {
    const contract = lone('tuned-shared');
    const { opened, open } = gate();
    const queues = { [contract.queue.name]: { concurrency: 2 } };
    const first = await stage.start({ handlers: [working(contract, () => opened)], queues });
    for (let i = 0; i < 10; i++) await stage.client.enqueue(contract, { note: '' });
    const { load } = first;
    expect(load[contract.queue.name]).to.include({ concurrency: 2, prefetch: 4 });
    await stage.signals.when(() => first.load[contract.queue.name]!.held === 2, 'two jobs in hand');
    const quick = working(contract, () => stage.signals.tell('elsewhere'));
    await stage.start({ handlers: [quick], queues });
    await stage.signals.next(6, { what: 'elsewhere' });
    open();
    await stage.signals.next(10, { what: 'ended', outcome: 'completed' });
  });

  it('start what is in hand in order of urgency', async () => {
    const contract = lone('tuned-urgent', { priorities: 2 });
    const { opened, open } = gate();
    const handler = working(contract, async ({ note }) => {
      if (note === 'first') await opened;
    });
    const queues = { [contract.queue.name]: { concurrency: { max: 1 } } };
    const service = await stage.start({ handlers: [handler], queues });
    const order = [await stage.client.enqueue(contract, { note: 'first' })];
    await stage.signals.first({ what: 'began' });
    const usual = await stage.client.enqueue(contract, { note: '' });
    const urgent = await stage.client.enqueue(contract, { note: '' }, { priority: 1 });
    await stage.signals.when(() => service.load[contract.queue.name]!.held === 2, 'both in hand');
    open();
    const began = await stage.signals.next(3, { what: 'began' });
    order.push(urgent, usual);
    expect(began.map(({ id }) => id)).to.deep.equal(order.map(({ id }) => id));
  });
});
