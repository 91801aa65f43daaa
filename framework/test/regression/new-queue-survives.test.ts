import { expect } from 'chai';
import { AmqpBroker } from '../../src/adapters/amqp/amqp-broker.js';
import { JobClient } from '../../src/index.js';
import { laneQueue } from '../../src/model/topology.js';
import type { Delivery } from '../../src/ports/broker.js';
import { type PrivateBroker, startPrivateBroker } from '../fault/private-broker.js';
import { lone } from '../flow/working.js';

/*
 * Seen by `npm run chaos`, broker-kill: a confirmed job was lost when the broker died within half a second after the
 * delay queue was declared that held it. RabbitMQ had not written down yet that the queue was there.
 */
describe('a job confirmed on a queue that is new', function () {
  this.timeout(60_000); // a broker boots, twice
  let rabbitmq: PrivateBroker | undefined;
  let broker: AmqpBroker | undefined;

  before('start a private broker', async function () {
    rabbitmq = await startPrivateBroker(() => []);
    if (!rabbitmq) this.skip();
  });
  after(async () => {
    await broker?.close();
    await rabbitmq?.stop();
  });

  it('is there when the broker was killed right after', async () => {
    const { url } = rabbitmq!;
    const contract = lone('new-queue');
    const client = new JobClient({ url });
    const { id } = await client.enqueue(contract, { note: '' });
    await rabbitmq!.kill();
    await client.close();
    await rabbitmq!.start();

    broker = new AmqpBroker({ url });
    const queues = [{ name: laneQueue('jobrail', contract.queue, 0), prefetch: 1 }];
    const arrived = await new Promise<Delivery>((onDelivery, reject) => {
      broker!.consume({ queues, onDelivery }).catch(reject);
    });
    expect(arrived.properties.messageId).to.equal(id);
  });
});
