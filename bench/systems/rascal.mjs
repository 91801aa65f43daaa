import rascal from 'rascal';
import { windowed } from '../windowed.mjs';

export const settings = 'quorum queue, persistent, confirms (window 1,000), an ack each';
export const server = 'rabbitmq';
export const filledBy = 'amqplib'; // what is drained later; it is quicker

export async function open({ url, queue }) {
  const create = (prefetch) =>
    rascal.BrokerAsPromised.create(
      rascal.withDefaultConfig({
        vhosts: {
          '/': {
            connection: { url },
            queues: { [queue]: { options: { durable: true, arguments: { 'x-queue-type': 'quorum' } } } },
            publications: { jobs: { queue, confirm: true, options: { persistent: true } } },
            subscriptions: { jobs: { queue, prefetch } },
          },
        },
      }),
    );
  const producer = await create(1);
  let consumer;
  const one = async (payload) => {
    const publication = await producer.publish('jobs', payload);
    await new Promise((resolve, reject) =>
      publication.on('success', resolve).on('error', reject).on('return', reject),
    );
  };
  return {
    one,
    many: windowed(one),
    async start(concurrency, onJob) {
      consumer = await create(concurrency);
      const subscription = await consumer.subscribe('jobs');
      subscription.on('message', async (_message, payload, ackOrNack) => {
        await onJob(payload);
        ackOrNack();
      });
    },
    async stop() {
      await consumer?.shutdown();
      await producer.shutdown();
    },
    async clean() {
      const last = await create(1);
      await last.nuke();
    },
  };
}
