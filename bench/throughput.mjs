// Drain and bulk enqueue beside bare amqplib's best recipe, interleaved; prints ratios. AMQP_URL, JOBS, ROUNDS.
import { connect } from 'amqplib';
import { pino } from 'pino';
import { defineJob, defineQueue, Job, JobClient, JobService } from 'jobrail';

const url = process.env.AMQP_URL ?? 'amqp://127.0.0.1';
const jobs = Number(process.env.JOBS ?? 50_000);
const rounds = Number(process.env.ROUNDS ?? 3);
const concurrency = Number(process.env.C ?? 250);
const any = { '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value }) } };
const payload = { to: 'ada@example.com', text: 'x'.repeat(160) };
const cork = (model) => {
  const muxer = model.connection.muxer;
  const read = muxer._readIncoming;
  muxer._readIncoming = () => {
    muxer.out.cork();
    try {
      read.call(muxer);
    } finally {
      muxer.out.uncork();
    }
  };
};

async function bare() {
  const model = await connect(url, { noDelay: true });
  cork(model);
  const queue = `bench-bare-${process.pid}`;
  const channel = await model.createConfirmChannel();
  await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  const body = Buffer.from(JSON.stringify(payload));
  let started = performance.now();
  await new Promise((resolve) => {
    let sent = 0;
    let confirmed = 0;
    const more = () => {
      while (sent < jobs && sent - confirmed < 1000) {
        sent++;
        channel.publish(
          '',
          queue,
          body,
          { persistent: true, messageId: String(sent), mandatory: true },
          () => {
            if (++confirmed === jobs) resolve();
            else more();
          },
        );
      }
    };
    more();
  });
  const enqueue = jobs / ((performance.now() - started) / 1000);
  const consumer = await model.createChannel();
  await consumer.prefetch(concurrency);
  started = performance.now();
  const cpu = process.cpuUsage();
  await new Promise((resolve) => {
    let done = 0;
    let last;
    let scheduled = false;
    void consumer.consume(queue, (message) => {
      JSON.parse(message.content.toString());
      last = message;
      if (!scheduled) {
        scheduled = true;
        setImmediate(() => {
          scheduled = false;
          consumer.ack(last, true);
        });
      }
      if (++done === jobs) resolve();
    });
  });
  const drain = jobs / ((performance.now() - started) / 1000);
  const { user, system } = process.cpuUsage(cpu);
  await new Promise((resolve) => setImmediate(resolve));
  await consumer.close();
  await channel.deleteQueue(queue);
  await model.close();
  return { enqueue, drain, cpu: (user + system) / 1e6 / (jobs / 1e4) };
}

async function jobrail() {
  const prefix = `bench-${process.pid}-${Math.random().toString(36).slice(2, 6)}`;
  const contract = defineJob('bench.noop', { queue: defineQueue('bench'), payload: any });
  let done = 0;
  let finished;
  class Noop {
    handle() {
      if (++done === jobs) finished();
    }
  }
  Job(contract)(Noop);
  const client = new JobClient({ url, prefix });
  await client.enqueue(contract, payload);
  done = -1;
  let started = performance.now();
  await client.enqueueMany(
    contract,
    Array.from({ length: jobs }, () => payload),
  );
  const enqueue = jobs / ((performance.now() - started) / 1000);
  const all = new Promise((resolve) => (finished = resolve));
  const service = new JobService({
    url,
    prefix,
    name: 'bench',
    handlers: [Noop],
    queues: { bench: { concurrency, prefetch: concurrency } },
    log: pino({ level: 'warn' }),
  });
  started = performance.now();
  const cpu = process.cpuUsage();
  await service.start();
  await all;
  const drain = jobs / ((performance.now() - started) / 1000);
  const { user, system } = process.cpuUsage(cpu);
  await service.stop();
  await client.close();
  const model = await connect(url);
  const channel = await model.createChannel();
  for (const q of ['bench', 'bench.dead', 'unroutable']) await channel.deleteQueue(`${prefix}.${q}`);
  for (const e of ['jobs', 'dead', 'delay.deliver', 'unroutable'])
    await channel.deleteExchange(`${prefix}.${e}`);
  await model.close();
  return { enqueue, drain, cpu: (user + system) / 1e6 / (jobs / 1e4) };
}

const rows = [];
for (let round = 0; round < rounds; round++) {
  for (const [system, run] of [
    ['amqplib', bare],
    ['jobrail', jobrail],
  ]) {
    const row = { round, system, ...(await run()) };
    rows.push(row);
    console.log(
      `${round} ${system.padEnd(8)} enqueue ${Math.round(row.enqueue)}/s  drain ${Math.round(row.drain)}/s  cpu/10k ${row.cpu.toFixed(2)} s`,
    );
  }
}
const median = (system, key) => {
  const values = rows
    .filter((r) => r.system === system)
    .map((r) => r[key])
    .sort((a, b) => a - b);
  return values[Math.floor(values.length / 2)];
};
for (const key of ['enqueue', 'drain', 'cpu'])
  console.log(`${key}: ${(median('jobrail', key) / median('amqplib', key)).toFixed(2)} × bare amqplib`);
