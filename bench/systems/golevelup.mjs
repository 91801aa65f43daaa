import 'reflect-metadata';
import { AmqpConnection } from '@golevelup/nestjs-rabbitmq';
import { windowed } from '../windowed.mjs';

export const settings =
  'quorum queue, persistent, confirms (window 1,000), an ack each; its core without a Nest application';
export const server = 'rabbitmq';
export const filledBy = 'amqplib'; // what is drained later; it is quicker

const quiet = { log() {}, error: console.error, warn() {}, debug() {}, verbose() {} };

export async function open({ url, queue }) {
  const exchanges = [{ name: queue, type: 'direct', options: { durable: true } }];
  const connections = [];
  const connection = async (prefetchCount) => {
    const made = new AmqpConnection({
      uri: url,
      exchanges,
      prefetchCount,
      connectionInitOptions: { wait: true },
      logger: quiet,
    });
    await made.init();
    connections.push(made);
    return made;
  };
  const producer = await connection(1);
  await producer.channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await producer.channel.bindQueue(queue, queue, 'job');
  const one = (payload) => producer.publish(queue, 'job', payload, { persistent: true });
  return {
    one,
    many: windowed(one),
    async start(concurrency, onJob) {
      const consumer = await connection(concurrency);
      await consumer.createSubscriber(
        onJob,
        {
          exchange: queue,
          routingKey: 'job',
          queue,
          queueOptions: { durable: true, arguments: { 'x-queue-type': 'quorum' } },
        },
        'bench',
      );
    },
    async stop() {
      for (const made of connections) await made.close();
    },
    async clean() {
      const last = await connection(1);
      await last.channel.deleteQueue(queue);
      await last.channel.deleteExchange(queue);
      await last.close();
    },
  };
}
