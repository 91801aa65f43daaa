// One measurement of one system in a process of its own; prints it as a line of JSON. Called by run.mjs.
import { cpuSeconds, listener } from './server-cpu.mjs';

const task = JSON.parse(process.argv[2]);
const { mode, system, variant, concurrency = 100, jobs, rate, url, databaseUrl, queue } = task;
const { open } = await import(`./systems/${system}.mjs`);
const payload = { to: 'ada@example.com', text: 'x'.repeat(160) }; // 200 bytes of JSON
const opened = await open({ url, databaseUrl, queue, variant, auto: task.auto });
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
    'enqueue bulk': bulk,
    'enqueue lanes': bulk,
    /** Of a queue that was filled before. */
    drain: () => drained(jobs),
    async fill() {
      await opened.many(jobs, payload);
      if (variant.includes('delay')) await new Promise((resolve) => setTimeout(resolve, 6_000));
      return {};
    },
    /** Only to clean up. */
    nothing: async () => ({}),
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
    /** Of a queue in which many less urgent jobs wait: from the confirm of one to its start. */
    async urgent() {
      const started = [];
      const confirmed = [];
      let all;
      const finished = new Promise((resolve) => (all = resolve));
      await opened.start(concurrency, ({ at }) => {
        if (at !== undefined) {
          started[at] = performance.now();
          if (started.filter(Boolean).length === jobs) all();
        }
        return pause(task.handlerMs);
      });
      await pause(1_000);
      for (let i = 0; i < jobs; i++) {
        await pause(Math.random() * 100);
        await opened.one({ ...payload, at: i }, { priority: 2 });
        confirmed[i] = performance.now();
      }
      await finished;
      return percentiles(started.map((at, i) => Math.max(0, at - confirmed[i])));
    },
    async lateness() {
      const late = [];
      // A deployment declares the ways of delayed jobs once in its life.
      for (let i = 0; i < 60; i++) await opened.one(payload, { delay: 100 + 80 * i });
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

async function bulk() {
  await opened.many(2_000, payload);
  return timed(jobs, () => opened.many(jobs, payload));
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

/** After a warm-up to the last job: connecting, starting and compiling is not counted. */
function drained(count) {
  const warmUp = Math.ceil(count / 3);
  let done = 0;
  let since;
  return new Promise((resolve, reject) => {
    const onJob = () => {
      done++;
      if (done === warmUp) since = clock();
      else if (done === count) resolve(since(count - warmUp));
    };
    opened.start(concurrency, onJob).catch(reject);
  });
}

/** Sends `jobs` at `rate` a second and waits for all; p50 and p99 of what `onJob` noted, after a warm-up. */
async function paced(send, onJob, noted) {
  let done = 0;
  let all;
  const warmUp = mode === 'latency' ? 2_000 : 0;
  const finished = new Promise((resolve) => (all = resolve));
  await opened.start(concurrency, (given) => {
    onJob(given);
    if (++done === jobs + warmUp + (mode === 'lateness' ? 60 : 0)) all();
  });
  for (let i = 0; i < warmUp; i += 20) await Promise.all(Array.from({ length: 20 }, send));
  const started = performance.now();
  const sending = [];
  for (let sent = 0; sent < jobs;) {
    const due =
      rate === 0 ? jobs : Math.min(jobs, Math.floor(((performance.now() - started) / 1_000) * rate));
    for (; sent < due; sent++) sending.push(send());
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(sending);
  await finished;
  return percentiles(noted.slice(warmUp));
}

function percentiles(values) {
  const sorted = values.sort((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  return { p50Ms: at(0.5), p99Ms: at(0.99), early: sorted.filter((ms) => ms < 0).length };
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
