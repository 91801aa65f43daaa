import { expect } from 'chai';
import { JobClient, JobService } from '../../../src/index.js';
import { header } from '../../../src/model/envelope.js';
import { deadQueue, laneQueue, suspectsQueue } from '../../../src/model/topology.js';
import { MemoryNode } from '../../../src/adapters/memory/memory-node.js';
import { MemoryBroker, VirtualClock } from '../../../src/testing.js';
import { Signals } from '../../flow/signals.js';
import { lone, working } from '../../flow/working.js';

const prefix = 'test';

/** A process dies by losing its connection to the broker with all it has in hand; nothing of it is heard again. */
class Crashing {
  readonly clock = new VirtualClock();
  readonly node = new MemoryNode(this.clock);
  readonly signals = new Signals();
  readonly #services: JobService[] = [];
  readonly #client = new MemoryBroker({ node: this.node, clock: this.clock });
  readonly #brokers = [this.#client];

  constructor(readonly contract: ReturnType<typeof lone>) {}

  /** A process whose handler never returns for these notes. */
  async process(...hanging: string[]): Promise<{ die: () => Promise<void> }> {
    const broker = new MemoryBroker({ node: this.node, clock: this.clock });
    this.#brokers.push(broker);
    let dead = false;
    const handler = working(this.contract, async ({ note }) => {
      if (dead) return;
      this.signals.tell('began', note);
      if (hanging.includes(note)) await new Promise(() => undefined);
      this.signals.tell('completed', note);
    });
    const service = new JobService({
      name: 'crashing',
      broker,
      clock: this.clock,
      events: 'off',
      prefix,
      handlers: [handler],
      queues: { [this.contract.queue.name]: {} },
      log: this.signals.log,
      gracePeriod: 0,
    });
    this.#services.push(service);
    await service.start();
    return {
      die: async () => {
        dead = true;
        await broker.close();
      },
    };
  }

  async enqueue(...notes: string[]): Promise<void> {
    const client = new JobClient({ broker: this.#client, clock: this.clock, events: 'off', prefix });
    await client.enqueueMany(
      this.contract,
      notes.map((note) => ({ note })),
    );
  }

  async deadLetter() {
    const queue = deadQueue(prefix, this.contract.queue);
    await this.passing(
      this.signals.when(() => (this.node.counts().get(queue)?.ready ?? 0) > 0, 'a dead letter'),
    );
    const letter = (await this.#client.get(queue))!;
    letter.ack();
    return letter;
  }

  /** Lets time pass until something has happened. */
  async passing<T>(happening: Promise<T>): Promise<T> {
    let happened = false;
    const noted = happening.finally(() => (happened = true));
    while (!happened) {
      this.clock.advance(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return noted;
  }

  async end(): Promise<void> {
    await this.passing(Promise.all(this.#services.map((service) => service.stop())));
    await Promise.all(this.#brokers.map((broker) => broker.close()));
  }
}

describe('jobs that were in hand when processes died', () => {
  it('are tried alone after two crashes; the one that is in hand at a third is a dead letter', async () => {
    const crashing = new Crashing(lone('crash-quorum'));
    const { signals } = crashing;
    await crashing.enqueue('innocent', 'poison');
    for (let crash = 1; crash <= 2; crash++) {
      const process = await crashing.process('innocent', 'poison');
      await signals.next(2 * crash, { what: 'began' });
      await process.die();
    }
    const third = await crashing.process('poison');
    await crashing.passing(signals.next(3, { what: 'began', detail: 'poison' }));
    await third.die();
    const fourth = await crashing.process('poison');
    const { properties, body } = await crashing.deadLetter();
    expect(body.toString()).to.equal('{"note":"poison"}');
    expect(properties.headers).to.include({ [header.deadReason]: 'crashed' });
    expect(properties.headers[header.errorMessage]).to.match(/died 3 times .* the last time alone/);
    await crashing.passing(signals.first({ what: 'completed', detail: 'innocent' }));
    expect(signals.of({ what: 'completed' })).to.have.length(1);
    await fourth.die();
    await crashing.end();
  });

  it('of a classic queue, which cannot count, are tried alone after the first', async () => {
    const contract = lone('crash-classic', { type: 'classic', priorities: 3 });
    const crashing = new Crashing(contract);
    await crashing.enqueue('poison');
    const first = await crashing.process('poison');
    await crashing.signals.next(1, { what: 'began' });
    await first.die();
    const second = await crashing.process('poison');
    await crashing.signals.next(2, { what: 'began' });
    expect(crashing.node.counts().get(suspectsQueue(prefix, contract.queue))).to.include({ unacked: 1 });
    await second.die();
    const third = await crashing.process('poison');
    await crashing.signals.next(3, { what: 'began' });
    await third.die();
    const fourth = await crashing.process('poison');
    const { properties } = await crashing.deadLetter();
    expect(properties.headers).to.include({ [header.deadReason]: 'crashed' });
    await fourth.die();
    await crashing.end();
  });

  it('run like any other after one crash, their attempt not counted', async () => {
    const crashing = new Crashing(lone('crash-once'));
    await crashing.enqueue('job');
    const first = await crashing.process('job');
    await crashing.signals.first({ what: 'began' });
    await first.die();
    await crashing.process();
    await crashing.signals.first({ what: 'completed', detail: 'job' });
    expect(crashing.node.counts().get(laneQueue(prefix, crashing.contract.queue, 0))).to.include({
      ready: 0,
    });
    await crashing.end();
  });
});
