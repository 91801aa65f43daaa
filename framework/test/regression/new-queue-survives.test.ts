import { expect } from 'chai';
import { AmqpBroker } from '../../src/adapters/amqp/amqp-broker.js';
import { JobClient } from '../../src/index.js';
import type { Delivery } from '../../src/ports/broker.js';
import { laneQueue } from '../../src/model/topology.js';
import { type PrivateBroker, startPrivateBroker } from '../fault/private-broker.js';
import { lone } from '../flow/working.js';

/*
 * Seen by `npm run chaos`, broker-kill: a confirmed job was lost when the broker died within half a second after the
 * delay queue was declared that held it. RabbitMQ had not written down yet that the queue was there.
 */
describe('a job confirmed on a queue that is new', () => {
  let rabbitmq: PrivateBroker | undefined;

  before('start a private broker', async function () {
    this.timeout(100_000);
    rabbitmq = await startPrivateBroker(() => []);
    if (!rabbitmq) this.skip();
  });
  after(() => rabbitmq?.stop());

  it('is there when the broker was killed right after', async function () {
    this.timeout(100_000);
    const { url } = rabbitmq!;
    const contract = lone('new-queue');
    const client = new JobClient({ url });
    const { id } = await client.enqueue(contract, { note: '' });
    await rabbitmq!.kill();
    await client.close();
    await rabbitmq!.start();

    const broker = new AmqpBroker({ url });
    await broker.connect();
    const queues = [{ name: laneQueue('jobrail', contract.queue, 0), prefetch: 1 }];
    const arrived = await new Promise<Delivery>((onDelivery, reject) => {
      broker.consume({ queues, onDelivery }).catch(reject);
    });
    expect(arrived.properties.messageId).to.equal(id);
    await broker.close();
  });
});
