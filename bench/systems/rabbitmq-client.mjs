import { Connection } from 'rabbitmq-client';
import { windowed } from '../windowed.mjs';

export const settings = 'quorum queue, persistent, confirms (window 1,000), an ack each';
export const server = 'rabbitmq';
export const filledBy = 'amqplib'; // what is drained later; it is quicker

export async function open({ url, queue }) {
  const connection = new Connection({ url, noDelay: true });
  await connection.onConnect(5_000);
  const declare = { queue, durable: true, arguments: { 'x-queue-type': 'quorum' } };
  await connection.queueDeclare(declare);
  const publisher = connection.createPublisher({ confirm: true });
  const one = (payload) => publisher.send({ routingKey: queue, durable: true, mandatory: true }, payload);
  let consumer;
  return {
    one,
    many: windowed(one),
    async start(concurrency, onJob) {
      consumer = connection.createConsumer(
        { queue, queueOptions: declare, qos: { prefetchCount: concurrency }, concurrency },
        (message) => onJob(message.body),
      );
      await new Promise((resolve) => consumer.once('ready', resolve));
    },
    async stop() {
      await consumer?.close();
      await publisher.close();
      await connection.close();
    },
    async clean() {
      const last = new Connection({ url });
      await last.queueDelete({ queue });
      await last.close();
    },
  };
}
