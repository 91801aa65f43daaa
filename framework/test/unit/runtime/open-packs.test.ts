import { expect } from 'chai';
import type { Delivery } from '../../../src/ports/broker.js';
import { OpenPacks } from '../../../src/runtime/open-packs.js';
import { Pack, type PackedDelivery } from '../../../src/runtime/pack.js';

function message(ids: string, redelivered = false) {
  const ended: string[] = [];
  const delivery: Delivery = {
    queue: 'q',
    exchange: '',
    routingKey: 'q',
    redelivered,
    stale: false,
    body: Buffer.from([...ids].map((id) => `${id} {}\n`).join('')),
    properties: { messageId: 'pack', type: 'c', headers: {} },
    ack: () => void ended.push('ack'),
    requeue: () => void ended.push('requeue'),
    reject: () => void ended.push('reject'),
  };
  return { delivery, ended };
}

function opened(packs: OpenPacks, delivery: Delivery): Pack {
  const pack = packs.open(delivery);
  if (!(pack instanceof Pack)) throw pack.error;
  return pack;
}

describe('a pack in hand', () => {
  it('is acked once, when the last of its jobs is settled, in whatever order and however often', () => {
    const settled: Delivery[] = [];
    const { delivery, ended } = message('abc');
    const { jobs } = opened(new OpenPacks((one) => settled.push(one)), delivery);
    for (const i of [2, 0, 2]) jobs[i]!.ack();
    expect(ended).to.deep.equal([]);
    jobs[1]!.ack();
    jobs[1]!.ack();
    expect(ended).to.deep.equal(['ack']);
    expect(settled).to.deep.equal([delivery]);
  });

  it('is requeued as it is when all its jobs are given back in one turn', async () => {
    const { delivery, ended } = message('ab');
    const pack = new Pack(delivery);
    const sent: string[] = [];
    await Promise.all(pack.jobs.map((job) => pack.giveBack(job, true, send(sent))));
    expect([ended, sent]).to.deep.equal([['requeue'], []]);
  });

  it('sends those that are given back in one message, and is acked when that is confirmed', async () => {
    const { delivery, ended } = message('abc');
    const pack = new Pack(delivery);
    const sent: string[] = [];
    pack.jobs[1]!.ack();
    await Promise.all([pack.jobs[0]!, pack.jobs[2]!].map((job) => pack.giveBack(job, true, send(sent))));
    expect([ended, sent]).to.deep.equal([['ack'], ['ac']]);
  });

  it('keeps its jobs when what is given back cannot be sent', async () => {
    const { delivery, ended } = message('ab');
    const pack = new Pack(delivery);
    pack.jobs[0]!.ack();
    await pack.giveBack(pack.jobs[1]!, true, async () => false);
    expect(ended).to.deep.equal([]);
    expect(pack.left).to.equal(1);
  });

  it('settles again what was settled before its channel was lost, and only that', () => {
    const packs = new OpenPacks(() => undefined);
    opened(packs, message('abc').delivery).jobs[1]!.ack();
    packs.interrupted();
    const again = opened(packs, message('abc', true).delivery);
    expect(again.jobs.map(({ settled }) => settled)).to.deep.equal([false, true, false]);
    const first = opened(packs, message('abc').delivery);
    expect(first.left).to.equal(3);
  });
});

function send(sent: string[]) {
  return async (some: readonly PackedDelivery[]) => {
    sent.push(some.map(({ id }) => id).join(''));
    some[0]!.ack();
    return true;
  };
}
