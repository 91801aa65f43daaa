// Latency of another queue of the service while a handler computes for 10 s: in a thread, a process, the service itself.
// AMQP_URL, RATE jobs a second (100), LOOP seconds (10), ROUNDS (1).
import { connect } from 'amqplib';
import { pino } from 'pino';
import { defineJob, defineQueue, Job, JobClient, JobService } from 'jobrail';
import { InProcess, InService, InThread, ProcessSpin, ServiceSpin, ThreadSpin } from './isolated-spin.mjs';

const url = process.env.AMQP_URL ?? 'amqp://127.0.0.1';
const rate = Number(process.env.RATE ?? 100);
const rounds = Number(process.env.ROUNDS ?? 1);
const loopMs = Number(process.env.LOOP ?? 10) * 1_000;
const prefix = `bench-isolation-${process.pid}`;
const any = { '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value }) } };
const Quick = defineJob('bench.quick', { queue: defineQueue('quick'), payload: any });
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let latencies = [];
let started = 0;
class QuickHandler {
  handle({ at }) {
    latencies.push(performance.timeOrigin + performance.now() - at);
    started++;
  }
}
Job(Quick)(QuickHandler);

const client = new JobClient({ url, prefix });
const service = new JobService({
  url,
  prefix,
  name: 'bench',
  handlers: [QuickHandler, ThreadSpin, ProcessSpin, ServiceSpin],
  queues: { quick: {}, 'spin-thread': {}, 'spin-process': {}, 'spin-service': {} },
  log: pino({ level: 'warn' }),
  watchdog: '1m',
});
await service.start();
let sent = 0;
let sending = true;
const sender = (async () => {
  for (let next = performance.now(); sending; next += 1_000 / rate) {
    const early = next - performance.now();
    if (early > 0) await wait(early);
    sent++;
    // From when it should have been sent, so that a loop which holds up the sender counts, too.
    void client.enqueue(Quick, { at: performance.timeOrigin + next });
  }
})();
const show = (what, latencies) => {
  latencies.sort((a, b) => a - b);
  const at = (p) => latencies[Math.min(latencies.length - 1, Math.floor(p * latencies.length))] ?? NaN;
  const row = { what, jobs: latencies.length, p50: at(0.5), p99: at(0.99), max: at(1) };
  console.log(
    `${what.padEnd(28)} ${String(row.jobs).padStart(5)} jobs  p50 ${row.p50.toFixed(1)}  p99 ${row.p99.toFixed(1)}  max ${row.max.toFixed(1)} ms`,
  );
  return row;
};
const measure = async (what, ms) => {
  latencies = [];
  await wait(ms);
  show(what, [...latencies]);
  return latencies;
};
await wait(2_000);
const places = [
  { place: 'thread', contract: InThread, alone: [], beside: [] },
  { place: 'process', contract: InProcess, alone: [], beside: [] },
];
for (let round = 0; round < rounds; round++) {
  for (const { place, contract, alone, beside } of places) {
    alone.push(...(await measure('nothing beside it', loopMs)));
    await client.enqueue(contract, { ms: loopMs + 1_000 });
    await wait(500);
    beside.push(...(await measure(`a loop in a ${place}`, loopMs)));
    await wait(1_500);
  }
}
for (const place of places) {
  const alone = show(`all without a loop`, place.alone);
  const beside = show(`all with one in a ${place.place}`, place.beside);
  const ratio = (p) => (beside[p] / alone[p]).toFixed(2);
  console.log(`  ${place.place}: p50 ${ratio('p50')} ×, p99 ${ratio('p99')} × of that alone`);
}
latencies = [];
await client.enqueue(InService, { ms: 3_000 });
await wait(4_000);
show('a loop of 3 s in the service', latencies);
sending = false;
await sender;
while (started < sent) await wait(10);
await service.stop();
await client.close();
const model = await connect(url);
const channel = await model.createChannel();
for (const queue of ['quick', 'spin-thread', 'spin-process', 'spin-service'])
  for (const q of [queue, `${queue}.dead`, `${queue}.suspects`]) await channel.deleteQueue(`${prefix}.${q}`);
for (const q of ['unroutable', 'events', 'control']) await channel.deleteQueue(`${prefix}.${q}`);
for (const e of ['jobs', 'dead', 'delay.deliver', 'unroutable', 'control'])
  await channel.deleteExchange(`${prefix}.${e}`);
await model.close();
