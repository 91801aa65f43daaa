import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { version } from '../../../src/base/version.js';
import { JobClient, JobService } from '../../../src/index.js';
import { eventsStream, laneQueue } from '../../../src/model/topology.js';
import { MemoryBroker, VirtualClock } from '../../../src/testing.js';
import { Signals } from '../../flow/signals.js';
import { lone, working } from '../../flow/working.js';

const prefix = 'test';

describe('a service whose event stream takes nothing', () => {
  const contract = lone('stuck-stream');
  let clock: VirtualClock;
  let broker: MemoryBroker;
  let signals: Signals;
  let service: JobService;
  let client: JobClient;

  const unacked = () => broker.node.counts().get(laneQueue(prefix, contract.queue, 0))?.unacked;
  const turns = async () => {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  const logged = (words: RegExp) => () =>
    signals.of(({ what, detail }) => what === 'logged' && words.test((detail as { msg: string }).msg))
      .length > 0;
  const brokenStream = {
    exchanges: [],
    queues: [{ name: eventsStream(prefix), arguments: { 'x-queue-type': 'classic' } as const }],
    bindings: [],
  };

  beforeEach(async () => {
    clock = new VirtualClock();
    broker = new MemoryBroker({ clock });
    signals = new Signals();
    await broker.declare(brokenStream);
    const queues = { [contract.queue.name]: {} };
    const handlers = [working(contract, () => undefined)];
    const shared = { broker, clock, prefix };
    service = new JobService({ ...shared, name: 's', handlers, queues, log: signals.log, watchdog: false });
    service.use(signals.filter);
    client = new JobClient({ ...shared, events: 'off' });
    await service.start();
  });

  afterEach(async () => {
    let stopped = false;
    void service.stop().then(() => (stopped = true));
    while (!stopped) {
      await turns();
      clock.advance(1_000);
    }
    await broker.close();
  });

  it('does not ack a job whose outcome is not told, for five seconds', async () => {
    await client.enqueue(contract, { note: '' });
    await signals.first({ what: 'ended', outcome: 'completed' });
    clock.advance(4_000);
    await turns();
    expect(unacked()).to.equal(1);
  });

  it('settles jobs without it after that, and says so', async () => {
    await client.enqueue(contract, { note: '' });
    await signals.first({ what: 'ended', outcome: 'completed' });
    await turns();
    clock.advance(5_001);
    await signals.when(() => unacked() === 0, 'the ack');
    expect(logged(/settled without waiting/)()).to.equal(true);
    await client.enqueue(contract, { note: '' });
    await signals.next(2, { what: 'ended', outcome: 'completed' });
    await signals.when(() => unacked() === 0, 'the next ack, at once');
  });

  it('tells what it has kept when the stream takes events again', async () => {
    await client.enqueue(contract, { note: '' });
    await signals.first({ what: 'ended', outcome: 'completed' });
    await turns();
    clock.advance(5_001);
    await turns();
    await broker.remove(brokenStream);
    clock.advance(10_000);
    await signals.when(logged(/takes events again/), 'the stream to take events');
    expect((await broker.depth(eventsStream(prefix)))?.messages).to.be.above(0);
  });
});

describe('the version that a heartbeat tells', () => {
  it('is that of the package', () => {
    const file = new URL('../../../../package.json', import.meta.url);
    expect(JSON.parse(readFileSync(file, 'utf8'))).to.have.property('version', version);
  });
});
