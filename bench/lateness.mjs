// Lateness of delayed jobs: JOBS random delays of 0.1–5 s, enqueued at once; and a short one behind one of an hour.
import { pino } from 'pino';
import { defineJob, defineQueue, Job, JobClient, JobService } from 'jobrail';

const url = process.env.AMQP_URL ?? 'amqp://127.0.0.1';
const jobs = Number(process.env.JOBS ?? 1_000);
const prefetch = Number(process.env.PREFETCH ?? 250);
const prefix = process.env.PREFIX ?? 'bench-late';
const any = { '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value }) } };
const contract = defineJob('bench.late', { queue: defineQueue('late'), payload: any });
const late = [];
let finished;
const all = new Promise((resolve) => (finished = resolve));
let expected = jobs;
class Note {
  handle({ dueAt }) {
    late.push(Date.now() - dueAt);
    if (late.length === expected) finished();
  }
}
Job(contract)(Note);
const client = new JobClient({ url, prefix });
const service = new JobService({
  url,
  prefix,
  name: 'bench',
  handlers: [Note],
  queues: { late: { concurrency: 100, prefetch } },
  log: pino({ level: 'warn' }),
});
await service.start();
// Declare the paths first: a deployment does so once in its life.
if (!process.env.COLD)
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      client.enqueue(contract, { dueAt: Date.now() + i * 256 + 450 }, { delay: i * 256 + 450 }),
    ),
  );
expected = jobs + late.length + (process.env.COLD ? 0 : 20 - late.length);
await new Promise((resolve) => setTimeout(resolve, 6_000));
late.length = 0;
expected = jobs;
await client.enqueue(contract, { dueAt: Date.now() + 3_600_000 }, { delay: '1h' });
await Promise.all(
  Array.from({ length: jobs }, () => {
    const delay = Math.round(100 + Math.random() * 4_900);
    return client.enqueue(contract, { dueAt: Date.now() + delay }, { delay });
  }),
);
await all;
late.sort((a, b) => a - b);
const at = (p) => late[Math.min(late.length - 1, Math.floor(p * late.length))];
console.log(
  `lateness of ${jobs} delayed jobs, ms: p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, max ${late.at(-1)}; early: ${late.filter((ms) => ms < 0).length}`,
);
await service.stop();
await client.close();
