// Prototype, not part of Jobrail: several jobs of one contract in one message, each with its own id and outcome, the
// message acked when the last is settled. Does it pass 100,000 jobs/s on both sides? AMQP_URL, JOBS, PACK.
import { createRequire } from 'node:module';
import { uuidv7 } from '../framework/dist/src/base/uuidv7.js';

const { connect } = createRequire(new URL('../framework/package.json', import.meta.url))('amqplib');
const jobs = Number(process.env.JOBS ?? 300_000);
const payload = { to: 'ada@example.com', text: 'x'.repeat(160) };
const model = await connect(process.env.AMQP_URL ?? 'amqp://127.0.0.1', { noDelay: true });
for (const pack of (process.env.PACK ?? '10,50,100').split(',').map(Number)) {
  const queue = `bench-pack-${process.pid}-${pack}`;
  const channel = await model.createConfirmChannel();
  await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  const payloads = Array.from({ length: jobs }, () => payload);
  let cpu = process.cpuUsage();
  let started = performance.now();
  const results = [];
  await new Promise((resolve) => {
    let next = 0;
    let open = 0;
    const more = () => {
      while (next < jobs && open < 100) {
        const now = Date.now();
        const packed = payloads.slice(next, next + pack).map((one) => ({ id: uuidv7(now), payload: one }));
        next += packed.length;
        open++;
        channel.publish(
          '',
          queue,
          Buffer.from(JSON.stringify(packed)),
          { persistent: true, mandatory: true },
          () => {
            for (const { id } of packed) results.push({ id });
            open--;
            if (results.length === jobs) resolve();
            else more();
          },
        );
      }
    };
    more();
  });
  const enqueued = told(jobs, started, cpu);
  class Handler {
    async handle() {}
  }
  const consumer = await model.createChannel();
  await consumer.prefetch(Math.ceil(500 / pack));
  cpu = process.cpuUsage();
  started = performance.now();
  let done = 0;
  await new Promise((resolve) => {
    void consumer.consume(queue, (message) => {
      const packed = JSON.parse(message.content.toString());
      let left = packed.length;
      for (const { payload: one } of packed) {
        // Each job has an outcome of its own; one that failed would be published by itself before it counts as settled.
        new Handler().handle(one).then(() => {
          if (--left === 0) consumer.ack(message);
          if (++done === jobs) resolve();
        });
      }
    });
  });
  console.log(`pack ${pack}: enqueue ${enqueued}; drain ${told(jobs, started, cpu)}`);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await consumer.close();
  await channel.deleteQueue(queue);
  await channel.close();
}
await model.close();

function told(count, since, before) {
  const { user, system } = process.cpuUsage(before);
  const rate = Math.round(count / ((performance.now() - since) / 1_000)).toLocaleString('en-US');
  return `${rate}/s, client CPU ${((user + system) / count / 100).toFixed(3)} s / 10,000`;
}
