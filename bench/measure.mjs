// One measurement of one system in a process of its own; prints it as a line of JSON. Called by run.mjs.
import { cpuSeconds, listener } from './server-cpu.mjs';

const task = JSON.parse(process.argv[2]);
const { mode, system, variant, concurrency = 100, jobs, rate, url, databaseUrl, queue } = task;
const { open } = await import(`./systems/${system}.mjs`);
const payload = { to: 'ada@example.com', text: 'x'.repeat(160) }; // 200 bytes of JSON
const opened = await open({ url, databaseUrl, queue, variant });
const server = listener(new URL(url).port || 5672);

const result = await modes()[mode]();
await opened.stop();
if (!task.keep) await opened.clean();
console.log(JSON.stringify({ ...result, rssMb: process.resourceUsage().maxRSS / 1024 }));
process.exit(0); // some leave timers behind

function modes() {
  return {
    async 'enqueue one by one'() {
      for (let i = 0; i < 50; i++) await opened.one(payload);
      return timed(jobs, async () => {
        for (let i = 0; i < jobs; i++) await opened.one(payload);
      });
    },
    async 'enqueue bulk'() {
      await opened.many(2_000, payload);
      return timed(jobs, () => opened.many(jobs, payload));
    },
    async drain() {
      await opened.many(jobs, payload);
      if (variant.includes('delay')) await new Promise((resolve) => setTimeout(resolve, 6_000));
      return drained(jobs);
    },
    async fill() {
      await opened.many(jobs, payload);
      return {};
    },
    /** Of a queue that was filled before, and that others may drain too: when the first and the last job ran. */
    async share() {
      let first;
      let last = performance.timeOrigin + performance.now();
      let count = 0;
      await opened.start(concurrency, () => {
        last = performance.timeOrigin + performance.now();
        first ??= last;
        count++;
      });
      while (performance.timeOrigin + performance.now() - last < 1_500)
        await new Promise((resolve) => setTimeout(resolve, 100));
      return { first, last, count };
    },
    backlog: () => drained(jobs),
    latency() {
      const took = [];
      return paced(
        async () => {
          const at = performance.now();
          await opened.one({ ...payload, at });
        },
        ({ at }) => took.push(performance.now() - at),
        took,
      );
    },
    lateness() {
      const late = [];
      return paced(
        () => {
          const delay = 100 + Math.round(Math.random() * 4_900);
          return opened.one({ ...payload, due: Date.now() + delay }, { delay });
        },
        ({ due }) => due && late.push(Date.now() - due),
        late,
      );
    },
  };
}

async function timed(count, work) {
  const since = clock();
  await work();
  return since(count);
}

/** Starts a stopwatch of time and CPU; what it returns tells for how many jobs it ran. */
function clock() {
  const server0 = cpuSeconds(server);
  const client0 = process.cpuUsage();
  const started = performance.now();
  return (count) => {
    const seconds = (performance.now() - started) / 1_000;
    const { user, system: kernel } = process.cpuUsage(client0);
    const server1 = cpuSeconds(server);
    return {
      rate: count / seconds,
      clientCpuPer10k: ((user + kernel) / 1e6 / count) * 10_000,
      ...(server1 !== undefined && { brokerCpuPer10k: ((server1 - server0) / count) * 10_000 }),
    };
  };
}

/** From the first job to the last: connecting and starting is not counted. */
function drained(count) {
  let done = 0;
  let since;
  return new Promise((resolve, reject) => {
    const onJob = () => {
      since ??= clock();
      if (++done === count) resolve(since(count));
    };
    opened.start(concurrency, onJob).catch(reject);
  });
}

/** Sends `jobs` at `rate` a second and waits for all; p50 and p99 of what `onJob` noted, after a warm-up. */
async function paced(send, onJob, noted) {
  let done = 0;
  let all;
  const total = jobs + 100;
  const finished = new Promise((resolve) => (all = resolve));
  await opened.start(concurrency, (given) => {
    onJob(given);
    if (++done === total) all();
  });
  for (let i = 0; i < 100; i++) await send();
  const started = performance.now();
  const sending = [];
  for (let sent = 0; sent < jobs;) {
    const due = Math.min(jobs, Math.floor(((performance.now() - started) / 1_000) * rate));
    for (; sent < due; sent++) sending.push(send());
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(sending);
  await finished;
  const sorted = noted.slice(mode === 'latency' ? 100 : 0).sort((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  return { p50Ms: at(0.5), p99Ms: at(0.99), early: sorted.filter((ms) => ms < 0).length };
}
