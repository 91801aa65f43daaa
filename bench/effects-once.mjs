/**
 * Effects under SIGKILL: workers are killed at random while they work through jobs that each add a row to a PostgreSQL
 * ledger, once with `idempotency` and a `JobTransaction`, once without (the control, which must show doubled rows).
 *
 *   AMQP_URL=… DATABASE_URL=… node bench/effects-once.mjs [jobs, default 20000] [kills, default 8]
 */
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inject } from 'inversify';
import { defineJob, defineQueue, Job, JobService, JobTransaction } from 'jobrail';
import { isolatedRail } from 'jobrail/testing';
import pg from 'pg';
import { z } from 'zod';

const payload = z.object({ n: z.number() });
const contractOf = (/** @type {string} */ name) => defineJob(name, { queue: defineQueue(name), payload });
const contracts = { once: contractOf('effect-once'), control: contractOf('effect-control') };

if (process.env.MEMBER) await work(/** @type {'once' | 'control'} */ (process.env.MEMBER));
else for (const mode of /** @type {const} */ (['once', 'control'])) await play(mode);

/** @param {'once' | 'control'} mode */
async function work(mode) {
  const pool = new pg.Pool({ connectionString: process.env.JOBRAIL_STORE_URL, max: 20 });
  const text = 'INSERT INTO ledger (job) VALUES ($1)';
  class Once {
    constructor(/** @type {JobTransaction} */ transaction) {
      this.transaction = transaction;
    }
    async handle(/** @type {unknown} */ _payload, /** @type {{ id: string }} */ { id }) {
      await this.transaction.query(text, [id]);
    }
  }
  inject(JobTransaction)(Once, undefined, 0);
  Job(contracts.once, { idempotency: { keepFor: '1d', lease: '5s' } })(Once);
  class Control {
    async handle(/** @type {unknown} */ _payload, /** @type {{ id: string }} */ { id }) {
      await pool.query(text, [id]);
    }
  }
  Job(contracts.control)(Control);
  const handlers = [mode === 'once' ? Once : Control];
  const queues = { [contracts[mode].queue.name]: { concurrency: 20, prefetch: 40 } };
  await new JobService({ name: 'effects', handlers, queues, events: 'off' }).run();
}

/** @param {'once' | 'control'} mode */
async function play(mode) {
  const [jobs, kills] = [Number(process.argv[2] ?? 20_000), Number(process.argv[3] ?? 8)];
  const contract = contracts[mode];
  const rail = await isolatedRail();
  const schema = `effects_${randomUUID().slice(0, 8)}`;
  const db = new pg.Pool({ connectionString: process.env.DATABASE_URL });
  await db.query(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.ledger (job TEXT)`);
  const store = new URL(/** @type {string} */ (process.env.DATABASE_URL));
  store.searchParams.set('options', `-c search_path=${schema}`);
  const count = async () => {
    const { rows } = await db.query(
      `SELECT count(DISTINCT job)::int AS done, count(*)::int - count(DISTINCT job)::int AS extra FROM ${schema}.ledger`,
    );
    return /** @type {{ done: number, extra: number }} */ (rows[0]);
  };
  const start = () =>
    fork(fileURLToPath(import.meta.url), {
      env: {
        ...process.env,
        MEMBER: mode,
        AMQP_URL: rail.url,
        JOBRAIL_PREFIX: rail.prefix,
        JOBRAIL_STORE_URL: store.href,
        LOG_LEVEL: 'silent',
      },
    });
  await rail.client.enqueueMany(
    contract,
    Array.from({ length: jobs }, (_, n) => ({ n })),
  );
  const workers = [start(), start()];
  let killed = 0;
  const began = Date.now();
  let { done } = await count();
  while (done < jobs && Date.now() - began < 240_000) {
    await pause(200 + 600 * Math.random());
    ({ done } = await count());
    // Evenly over the work, and only while there is some.
    if (killed < kills && done > (jobs * (killed + 0.5)) / (kills + 1)) {
      const worker = workers[killed % 2];
      worker?.kill('SIGKILL');
      workers[killed++ % 2] = start();
    }
  }
  const last = async () => (await rail.broker.depth(`${rail.prefix}.${contract.queue.name}`))?.messages;
  while ((await last()) !== 0) await pause(200);
  await pause(6_000); // a lease: what still comes again has come
  const { done: ended, extra } = await count();
  const seconds = Math.round((Date.now() - began) / 100) / 10;
  console.log(JSON.stringify({ mode, jobs, killed, doubled: extra, missing: jobs - ended, seconds }));
  for (const worker of workers) {
    worker.kill('SIGKILL');
    await once(worker, 'exit');
  }
  await rail.cleanup(contract);
  await db.query(`DROP SCHEMA ${schema} CASCADE`);
  await db.end();
}
