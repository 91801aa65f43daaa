// `concurrency: 'auto'` against the best fixed setting: sweeps fixed ones for a handler, then lets it find its own.
// node bench/tuning.mjs [handler …]; BACKLOG for each fixed setting (200,000), AUTO_BACKLOG (three times that), SETTINGS of concurrency (1,10,…), BEST jobs/s instead of the sweep (5 ms,200 ms for "changing"), AMQP_URL, SECONDS of each fixed setting (3), WARM seconds until auto is judged (10).
import { pino } from 'pino';
import { connect } from 'amqplib';
import { defineJob, defineQueue, Job, JobClient, JobService } from 'jobrail';

const url = process.env.AMQP_URL ?? 'amqp://127.0.0.1';
const seconds = Number(process.env.SECONDS ?? 3);
const warm = Number(process.env.WARM ?? 10);
const backlog = Number(process.env.BACKLOG ?? 200_000);
const autoBacklog = Number(process.env.AUTO_BACKLOG ?? 3 * backlog);
const any = { '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value }) } };
const payload = { to: 'ada@example.com', text: 'x'.repeat(160) };
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const spin = (ms) => {
  const until = performance.now() + ms;
  while (performance.now() < until);
};

/** Milliseconds that the changing handler waits now. */
let changing = 5;
const handlers = {
  'cpu-0.1': { work: () => spin(0.1), settings: [1, 10, 100, 250, 1000] },
  'wait-5': { work: () => wait(5), settings: [10, 50, 100, 250, 500, 1000] },
  'wait-100': { work: () => wait(100), settings: [10, 100, 500, 1000] },
  'cpu-20': { work: () => spin(20), settings: [1, 2, 10, 50] },
  changing: { work: () => wait(changing), settings: [10, 50, 100, 250, 500, 1000] },
};

const contract = defineJob('bench.tuning', { queue: defineQueue('tuning'), payload: any });
const prefix = `bench-tuning-${process.pid}`;
const client = new JobClient({ url, prefix });
let waiting = 0;

async function fill(jobs) {
  const missing = jobs - waiting;
  for (let i = 0; i < missing; i += 10_000) {
    const many = Math.min(10_000, missing - i);
    await client.enqueueMany(
      contract,
      Array.from({ length: many }, () => payload),
    );
    waiting += many;
  }
  if (missing > 300_000) await wait(10_000); // the broker has much to write behind it
}

/** Runs a service; `during` measures it. */
async function run(work, queue, during) {
  await fill('concurrency' in queue ? backlog : autoBacklog);
  let done = 0;
  class Bench {
    async handle() {
      done++;
      waiting--;
      await work();
    }
  }
  class Sync {
    handle() {
      done++;
      waiting--;
      work();
    }
  }
  const handler = work.toString().includes('wait') ? Bench : Sync;
  Job(contract)(handler);
  const service = new JobService({
    url,
    prefix,
    name: 'bench',
    handlers: [handler],
    queues: { tuning: queue },
    log: pino({ level: 'warn' }),
  });
  await service.start();
  const rate = async (ms) => {
    const before = done;
    const since = performance.now();
    await wait(ms);
    return ((done - before) / (performance.now() - since)) * 1000;
  };
  const result = await during(rate, service);
  if (waiting < 1_000) console.log('the backlog was too small: what follows is not a measure of anything');
  await service.stop();
  return result;
}

/** Throughput of each fixed setting, the best first. */
async function sweep(work, settings) {
  const results = [];
  for (const concurrency of settings) {
    for (const prefetch of [concurrency + 10, Math.max(2 * concurrency, 250)]) {
      results.push(await fixed(work, { concurrency, prefetch }));
    }
  }
  return results.sort((a, b) => b.rate - a.rate);
}

async function fixed(work, setting) {
  const rate = await run(work, setting, async (measure) => {
    await measure(1_000);
    return measure(seconds * 1_000);
  });
  return { ...setting, rate };
}

/** The best of many is partly the luckiest: it runs again beside auto, and that counts. */
async function again(work, best) {
  if (!best.concurrency) return best;
  const { concurrency, prefetch, rate } = best;
  const beside = await fixed(work, { concurrency, prefetch });
  if (verbose) console.log(`    the best fixed again: ${show(beside)}, ${Math.round(rate)}/s in the sweep`);
  return beside;
}

const show = ({ concurrency, prefetch, rate }) => `${Math.round(rate)}/s (c=${concurrency}, p=${prefetch})`;
const verbose = process.env.VERBOSE;

async function follow(measure, service, totalMs, note) {
  for (let at = 0; at < totalMs; at += 500) {
    const rate = await measure(500);
    const { concurrency, prefetch } = service.load.tuning;
    if (verbose)
      console.log(`    ${note} ${(at / 1000 + 0.5).toFixed(1)} s: ${show({ concurrency, prefetch, rate })}`);
  }
}

async function judged(measure, service) {
  const rate = await measure(seconds * 1_000);
  const { concurrency, prefetch } = service.load.tuning;
  return { concurrency, prefetch, rate };
}

const report = (name, best, auto) =>
  console.log(`${name}: best fixed ${show(best)}, auto ${show(auto)}: ${(auto.rate / best.rate).toFixed(2)}`);

const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(handlers);
for (const name of chosen) {
  const { work } = handlers[name];
  const settings = process.env.SETTINGS?.split(',').map(Number) ?? handlers[name].settings;
  const bests = {};
  for (const ms of name === 'changing' ? [5, 200] : [0]) {
    changing = ms;
    const known = process.env.BEST?.split(',')[ms === 200 ? 1 : 0];
    const results = known
      ? [{ concurrency: 0, prefetch: 0, rate: Number(known) }]
      : await sweep(work, settings);
    if (verbose) for (const result of results) console.log(`    ${name} ${ms || ''} fixed ${show(result)}`);
    bests[ms] = results[0];
  }
  if (name !== 'changing') {
    const auto = await run(work, {}, async (measure, service) => {
      await follow(measure, service, warm * 1_000, name);
      return judged(measure, service);
    });
    report(name, await again(work, bests[0]), auto);
  } else {
    const autos = [];
    await run(work, {}, async (measure, service) => {
      for (const ms of [5, 200, 5]) {
        changing = ms;
        await follow(measure, service, warm * 1_000, `changing to ${ms}`);
        autos.push([ms, await judged(measure, service)]);
      }
    });
    for (const ms of [5, 200]) {
      changing = ms;
      bests[ms] = await again(work, bests[ms]);
    }
    for (const [ms, auto] of autos) report(`changing to ${ms} ms`, bests[ms], auto);
  }
}
await client.close();
const model = await connect(url);
const channel = await model.createChannel();
for (const q of ['tuning', 'tuning.dead', 'tuning.suspects', 'unroutable', 'events', 'control'])
  await channel.deleteQueue(`${prefix}.${q}`);
for (const e of ['jobs', 'dead', 'delay.deliver', 'unroutable'])
  await channel.deleteExchange(`${prefix}.${e}`);
await model.close();
