import { expect } from 'chai';
import { type Contract, type JobService } from '../../src/index.js';
import { laneQueue } from '../../src/model/topology.js';
import { useStage } from './stage.js';
import { gate, lone, working } from './working.js';

describe('order of urgency', () => {
  const stage = useStage();

  /** A service with one slot, which a first job holds until `release`; notes are told as their jobs begin. */
  async function busy(
    contract: ReturnType<typeof lone>,
    options: { prefetch?: number; lowShare?: number } = {},
  ) {
    const { opened, open } = gate();
    const work = async ({ note }: { note: string }) => {
      stage.signals.tell('started', note);
      if (note === 'first') await opened;
    };
    const handler = working(contract, work, { timeout: '30s' });
    const service = await stage.start({
      handlers: [handler],
      queues: { [contract.queue.name]: { concurrency: 1, prefetch: 10, ...options } },
    });
    await stage.client.enqueue(contract, { note: 'first' });
    await stage.signals.first({ what: 'started' });
    return { service, release: open };
  }

  async function enqueue(contract: ReturnType<typeof lone>, notes: string[], priority: number) {
    await stage.client.enqueueMany(
      contract,
      notes.map((note) => ({ note })),
      { priority },
    );
  }

  function inHand(service: JobService, contract: Contract, count: number) {
    return stage.signals.when(
      () => service.load[contract.queue.name]!.held === count,
      `${count} jobs in hand`,
    );
  }

  async function started(count: number): Promise<unknown[]> {
    return (await stage.signals.next(count, { what: 'started' })).map(({ detail }) => detail);
  }

  it('starts an urgent job before a waiting backlog', async () => {
    const contract = lone('urgent-backlog', { priorities: 3 });
    const { service, release } = await busy(contract);
    const backlog = Array.from({ length: 30 }, (_, i) => `low ${i}`);
    await enqueue(contract, backlog, 0);
    await enqueue(contract, ['urgent'], 2);
    // The first job is one of the ten that the least urgent lane may hand out.
    await inHand(service, contract, 10);
    release();
    expect(await started(32)).to.deep.equal(['first', 'urgent', ...backlog]);
  });

  it('starts the most urgent first among those already prefetched, in order of arrival within a priority', async () => {
    const contract = lone('urgent-prefetched', { priorities: 3 });
    const { service, release } = await busy(contract);
    await enqueue(contract, ['low 1', 'low 2'], 0);
    await enqueue(contract, ['middle 1', 'middle 2'], 1);
    await enqueue(contract, ['high 1', 'high 2'], 2);
    await inHand(service, contract, 6);
    release();
    const order = ['first', 'high 1', 'high 2', 'middle 1', 'middle 2', 'low 1', 'low 2'];
    expect(await started(7)).to.deep.equal(order);
  });

  it('gives the least urgent their share with lowShare', async () => {
    const contract = lone('urgent-share', { priorities: 2 });
    const { service, release } = await busy(contract, { lowShare: 0.5 });
    await enqueue(contract, ['low 1', 'low 2'], 0);
    await enqueue(contract, ['high 1', 'high 2', 'high 3', 'high 4'], 1);
    await inHand(service, contract, 6);
    release();
    // Every second start is for the least urgent: the first job had the first, and there it was alone.
    expect(await started(7)).to.deep.equal([
      'first',
      'low 1',
      'high 1',
      'low 2',
      'high 2',
      'high 3',
      'high 4',
    ]);
  });

  it('holds on a classic queue with maxPriority, in one RabbitMQ queue', async () => {
    const contract = lone('urgent-classic', { type: 'classic', maxPriority: 5 });
    const { service, release } = await busy(contract, { prefetch: 5 });
    const backlog = Array.from({ length: 8 }, (_, i) => `low ${i}`);
    await enqueue(contract, backlog, 0);
    await inHand(service, contract, 4);
    await enqueue(contract, ['urgent'], 5);
    await enqueue(contract, ['middle'], 3);
    release();
    const order = await started(11);
    // What the broker had handed out before is in hand; the next one it hands out is the urgent one.
    expect(order.indexOf('urgent')).to.be.below(order.indexOf('low 4'));
    expect(order.indexOf('urgent')).to.be.below(order.indexOf('middle'));
    expect(order.indexOf('middle')).to.be.below(order.indexOf('low 5'));
    expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 5))).to.equal(0);
    expect(await stage.ready(`${stage.prefix}.urgent-classic.p5`)).to.equal(undefined);
  });

  it('carries priority and retries on a classic queue', async () => {
    const contract = lone('urgent-classic-retry', { type: 'classic', priorities: 4 });
    await stage.start({
      handlers: [
        working(
          contract,
          (_, { attempt, priority }) => {
            stage.signals.tell('ran', { attempt, priority });
            if (attempt === 1) throw new Error('once');
          },
          { retry: { attempts: 2, delayMs: () => 600, summary: '' } },
        ),
      ],
    });
    await stage.client.enqueue(contract, { note: '' }, { priority: 3 });
    const ran = await stage.signals.next(2, { what: 'ran' });
    expect(ran.map(({ detail }) => detail)).to.deep.equal([
      { attempt: 1, priority: 3 },
      { attempt: 2, priority: 3 },
    ]);
  });
});
