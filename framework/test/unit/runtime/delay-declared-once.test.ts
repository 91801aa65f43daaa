import { expect } from 'chai';
import { JobClient } from '../../../src/index.js';
import { MemoryBroker, VirtualClock } from '../../../src/testing.js';
import { lone } from '../../flow/working.js';

describe('the way of a delay through the net', () => {
  it('is declared once for all jobs that are sent on it at a time', async () => {
    const contract = lone('delay-once');
    const broker = new MemoryBroker({ clock: new VirtualClock() });
    let declared = 0;
    const declare = broker.declare.bind(broker);
    broker.declare = (...topology) => (declared++, declare(...topology));
    const client = new JobClient({ broker, clock: new VirtualClock(), events: 'off' });
    await client.enqueue(contract, { note: '' });
    declared = 0;
    const payloads = Array.from({ length: 50 }, () => ({ note: '' }));
    await client.enqueueMany(contract, payloads, { delay: '3s' });
    expect(declared).to.equal(1);
    await client.close();
    await broker.close();
  });
});
