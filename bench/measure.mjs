// One measurement of one system in a process of its own; prints it as a line of JSON. Called by run.mjs.
import { cpus } from 'node:os';
import { runForeign } from './foreign.mjs';
import { busySeconds, cpuSeconds, serverOf } from './server-cpu.mjs';

const task = JSON.parse(process.argv[2]);
const { mode, system, variant, concurrency = 100, jobs, rate, url, databaseUrl, queue } = task;
const payload = { to: 'ada@example.com', text: 'x'.repeat(160) }; // 200 bytes of JSON
const described = await import(`./systems/${system}.mjs`);
const server = serverOf(url);
const servers = [server, databaseUrl && serverOf(databaseUrl)].filter(
  (pid, i, all) => pid !== undefined && all.indexOf(pid) === i,
);
const warmUp = warmUpOf(mode);
let opened; // what `open` of the system gave
const result = described.program ? await elsewhere() : await here();
if (!task.keep) await result.clean();
console.log(JSON.stringify({ ...result, took: undefined, clean: undefined }));
process.exit(0); // some leave timers behind

/** In another language. */
async function elsewhere() {
  const counted = mode === 'drain' || mode === 'enqueue bulk' ? jobs - warmUp : jobs;
  const ran = await runForeign(task.command, described.program, { ...task, payload, warmUp }, (pid) => {
    const since = clock(pid);
    return () => since(counted);
  });
  const times = ran.took && { ...percentiles(ran.took), others: ran.others, rssMb: ran.rssMb };
  return { ...(times ?? ran), clean: () => described.clean({ url, queue }) };
}

async function here() {
  opened = await described.open({ url, databaseUrl, queue, variant, auto: task.auto });
  const measured = await modes()[mode]();
  await opened.stop();
  return { ...measured, rssMb: process.resourceUsage().maxRSS / 1024, clean: () => opened.clean() };
}

/** Jobs that run, or are sent, before it counts: everybody connects, starts and compiles meanwhile. */
function warmUpOf(what) {
  if (task.warmUp) return task.warmUp;
  if (what === 'latency') return 2_000;
  if (what === 'lateness') return 60;
  if (what === 'enqueue one by one') return 50;
  return Math.ceil(jobs / 3);
}

function modes() {
  return {
    async 'enqueue one by one'() {
      for (let i = 0; i < warmUp; i++) await opened.one(payload);
      return timed(jobs, async () => {
        for (let i = 0; i < jobs; i++) await opened.one(payload);
      });
    },
    'enqueue bulk': bulk,
    'enqueue lanes': bulk,
    /** Of a queue that was filled before. */
    drain: () => drained(jobs),
    async fill() {
      const filled = await bulk();
      await opened.due?.(jobs);
      return filled;
    },
    /** Only to clean up. */
    nothing: async () => ({}),
    /** Of a queue that was filled before, and that others drain too, all from `startAt`: when each hundredth job ran. */
    async share() {
      const marks = [];
      const now = () => performance.timeOrigin + performance.now();
      let count = 0;
      let last;
      await pause(Math.max(0, task.startAt - now()));
      await opened.start(concurrency, async () => {
        if (++count % 100 === 0) marks.push((last = now()));
      });
      const startedAt = now();
      while (last === undefined ? now() - startedAt < 10_000 : now() - last < 1_000) await pause(50);
      const { user, system: kernel } = process.cpuUsage();
      return { marks, cpu: (user + kernel) / 1e6 };
    },
    /** What one process can enqueue and run at the same time: after each job that ran the next is sent, 500 are under way. */
    async capacity() {
      const sending = [];
      const more = () => {
        for (; sending.length < jobs && sending.length - done < 500;) sending.push(opened.one(payload));
      };
      let done = 0;
      let since;
      let all;
      const finished = new Promise((resolve) => (all = resolve));
      await opened.start(concurrency, async () => {
        done++;
        if (done === warmUp) since = clock();
        else if (done === jobs) all(since(jobs - warmUp));
        else more();
      });
      more();
      const result = await finished;
      await Promise.all(sending);
      return result;
    },
    latency() {
      const took = [];
      return paced(
        () => opened.one({ ...payload, at: performance.now() }),
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
      await opened.start(concurrency, async ({ at }) => {
        if (at !== undefined) {
          started[at] = performance.now();
          if (started.filter(Boolean).length === jobs) all();
        }
        return pause(task.handlerMs);
      });
      await pause(1_000);
      const since = clock();
      for (let i = 0; i < jobs; i++) {
        await pause(Math.random() * 100);
        await opened.one({ ...payload, at: i }, { priority: 2 });
        confirmed[i] = performance.now();
      }
      await finished;
      return {
        others: since(jobs).others,
        ...percentiles(started.map((at, i) => Math.max(0, at - confirmed[i]))),
      };
    },
    async lateness() {
      const late = [];
      // A deployment declares the ways of delayed jobs once in its life.
      for (let i = 0; i < warmUp; i++) await opened.one(payload, { delay: 100 + 80 * i });
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
  await opened.many(warmUp, payload);
  return timed(jobs - warmUp, () => opened.many(jobs - warmUp, payload));
}

async function timed(count, work) {
  const since = clock();
  await work();
  return since(count);
}

/**
 * Starts a stopwatch of time and of the CPU of this process, or of another and its children. What it returns tells for how many
 * jobs it ran; `others` is the share of the machine that anything else has used meanwhile, or the host has kept.
 */
function clock(pid = String(process.pid)) {
  const own = pid === String(process.pid);
  const used = () => {
    const { user, system: kernel } = process.cpuUsage();
    return own ? (user + kernel) / 1e6 : cpuSeconds(pid);
  };
  const all = () => [pid, ...servers].reduce((sum, of) => sum + (cpuSeconds(of) ?? 0), 0);
  const from = { server: cpuSeconds(server), client: used(), all: all(), busy: busySeconds() };
  const started = performance.now();
  return (count) => {
    const seconds = (performance.now() - started) / 1_000;
    const per10k = (before, now) =>
      before === undefined || now === undefined ? undefined : ((now - before) / count) * 10_000;
    const busy = busySeconds();
    return {
      rate: count / seconds,
      clientCpuPer10k: per10k(from.client, used()),
      brokerCpuPer10k: per10k(from.server, cpuSeconds(server)),
      others: busy && Math.max(0, busy - from.busy - (all() - from.all)) / seconds / cpus().length,
    };
  };
}

/** The rest after the warm-up, to the last job. */
function drained(count) {
  let done = 0;
  let since;
  return new Promise((resolve, reject) => {
    const onJob = async () => {
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
  const finished = new Promise((resolve) => (all = resolve));
  await opened.start(concurrency, async (given) => {
    onJob(given);
    if (++done === jobs + warmUp) all();
  });
  if (mode === 'latency')
    for (let i = 0; i < warmUp; i += 20) await Promise.all(Array.from({ length: 20 }, send));
  const since = clock();
  const started = performance.now();
  const sending = [];
  for (let sent = 0; sent < jobs;) {
    const due =
      rate === 0 ? jobs : Math.min(jobs, Math.floor(((performance.now() - started) / 1_000) * rate));
    for (; sent < due; sent++) sending.push(send());
    await pause(1);
  }
  await Promise.all(sending);
  await finished;
  return { others: since(jobs).others, ...percentiles(noted.slice(mode === 'latency' ? warmUp : 0)) };
}

function percentiles(values) {
  const sorted = values.sort((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  return { p50Ms: at(0.5), p99Ms: at(0.99), early: sorted.filter((ms) => ms < 0).length };
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
