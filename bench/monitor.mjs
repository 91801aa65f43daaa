// What the monitor's records cost: events projected a second, and searches among many jobs.
//   node bench/monitor.mjs            on SQLite, a file in a temporary folder
//   node bench/monitor.mjs postgres   on a private PostgreSQL, or that of JOBRAIL_STORE_URL, whose monitor_ tables are dropped
// JOBS=1000000 for so many; APART=20000 for jobs that end when so many others were enqueued after them, so that their events
// never meet in one transaction; PER_MESSAGE=500 events in each message, AT_ONCE=4 messages in each transaction.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { openStore } from 'jobrail/store';
import { startPostgres } from '../scripts/postgres.mjs';
import { Kinds } from '../services/monitor/dist/src/projection/kinds.js';
import { Lease } from '../services/monitor/dist/src/projection/lease.js';
import { Projection } from '../services/monitor/dist/src/projection/projection.js';
import { readBatch } from '../services/monitor/dist/src/records/read-batch.js';
import { readJobQuery } from '../services/monitor/dist/src/search/job-query.js';
import { JobSearch } from '../services/monitor/dist/src/search/job-search.js';
import { openRecords } from '../services/monitor/dist/src/store/open-records.js';
import { cpuSeconds, listener } from './server-cpu.mjs';

const jobs = Number(process.env['JOBS'] ?? 100_000);
const apart = Number(process.env['APART'] ?? 0);
const perMessage = Number(process.env['PER_MESSAGE'] ?? 500);
const atOnce = Number(process.env['AT_ONCE'] ?? 4);
const folder = mkdtempSync(join(tmpdir(), 'jobrail-bench-'));
const given = process.env['JOBRAIL_STORE_URL'];
const server = process.argv[2] === 'postgres' && !given ? await startPostgres() : undefined;
const database = await openStore(given ?? server?.url ?? `sqlite:${join(folder, 'records.sqlite')}`);
if (database.dialect === 'postgres') {
  const { rows } = await database.query(
    `SELECT tablename FROM pg_tables WHERE tablename LIKE 'monitor_%' OR tablename = 'jobrail_migrations'`,
  );
  for (const { tablename } of rows) await database.query(`DROP TABLE "${tablename}" CASCADE`);
}
await openRecords(database, 'bench');
const lease = new Lease(database);
if (!(await lease.take())) throw new Error('another process projects');
const kinds = new Kinds();
const projection = new Projection(database, lease, kinds);

const from = { service: 'email', instance: 'bench', host: 'bench', pid: 1 };
const contracts = Array.from({ length: 20 }, (_, i) => [`contract-${i}.run`, `queue-${i % 5}`]);
const start = Date.now() - jobs;
let seq = 0;
let offset = 0;

/** Every job is enqueued and completed, one in 50 retried, one in 2,000 dead. */
function eventsOf(i) {
  const [contract, queue] = contracts[i % contracts.length];
  const at = start + i;
  const about = { job: idOf(i), contract, queue };
  const facts = { enqueuedAt: at, traceId: randomUUID().replaceAll('-', ''), producer: 'api' };
  const payload = {
    to: `user-${i}@example.com`,
    template: ['welcome', 'reset', 'report-ready'][i % 3],
    data: { name: `User ${i}`, plan: i % 7 === 0 ? 'pro' : 'free', logins: i % 100 },
  };
  const enqueued = { kind: 'enqueued', ...about, at, ...facts, payloadBytes: 180, payload };
  const error = {
    name: 'MailError',
    message: `mailbox ${i} is full`,
    stack: 'MailError: full\n    at send (send.js:1:1)\n    at run (run.js:2:2)',
    fingerprint: `00000000000${i % 3}`,
  };
  const retried = i % 50 === 0;
  const outcome = { ...about, attempt: retried ? 2 : 1, startedAt: at + 1_010, facts };
  const outcomes = [];
  if (retried) {
    const first = { ...outcome, attempt: 1, at: at + 20, startedAt: at + 10 };
    outcomes.push({ kind: 'retried', ...first, nextAt: at + 1_000, error });
  }
  if (i % 2_000 === 0) {
    outcomes.push({ kind: 'dead', ...outcome, at: at + 2_000, reason: 'attempts used up', error });
  } else outcomes.push({ kind: 'completed', ...outcome, at: at + 1_030, resultBytes: 0 });
  return { enqueued, outcomes };
}

const later = [];
/** The next messages. Where events are apart, the outcomes are those of earlier jobs. */
function messages(fromJob, toJob) {
  const events = [];
  for (let i = fromJob; i < toJob; i++) {
    const { enqueued, outcomes } = eventsOf(i);
    events.push(enqueued);
    later.push(outcomes);
    if (later.length > apart) events.push(...later.shift());
  }
  if (toJob === jobs) events.push(...later.splice(0).flat());
  const made = [];
  for (let i = 0; i < events.length; i += perMessage) {
    const batch = { v: 1, from, seq: ++seq, events: events.slice(i, i + perMessage) };
    made.push({ offset: offset++, body: Buffer.from(JSON.stringify(batch)) });
  }
  return { made, count: events.length };
}

/** As UUIDv7 are: by time, and the rest at random. */
function idOf(i) {
  const time = (start + i).toString(16).padStart(12, '0');
  const random = randomUUID();
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`;
}

let spent = 0;
let events = 0;
const slice = 10_000;
let cpuMs = 0;
const port = database.dialect === 'postgres' && new URL(given ?? server.url).port;
const postgres = port ? listener(port) : undefined;
let serverMs = 0;
for (let done = 0; done < jobs; done += slice) {
  const { made, count } = messages(done, Math.min(jobs, done + slice));
  const cpuBefore = process.cpuUsage();
  const serverBefore = cpuSeconds(postgres);
  const began = performance.now();
  // As the projector does: messages are read while the store has the transaction before.
  let under = Promise.resolve();
  for (let i = 0; i < made.length; i += atOnce) {
    const some = made.slice(i, i + atOnce).map(({ offset, body }) => ({ offset, ...readBatch(body) }));
    await under;
    under = projection.apply(some);
  }
  await under;
  const took = performance.now() - began;
  const { user, system } = process.cpuUsage(cpuBefore);
  cpuMs += Math.round((user + system) / 1_000);
  if (postgres) serverMs += (cpuSeconds(postgres) - serverBefore) * 1_000;
  spent += took;
  events += count;
  if ((done / slice) % 10 === 0)
    console.log(`${done + slice} jobs: ${Math.round(count / (took / 1_000))} events/s`);
}
const eventsPerSecond = Math.round(events / (spent / 1_000));
const load = loadavg()[0].toFixed(1);
const perCpu = (ms) => Math.round(events / (ms / 1_000));
const cpu = { ofMonitor: perCpu(cpuMs), ...(postgres && { ofServer: perCpu(serverMs) }) };
console.log(
  JSON.stringify({
    store: database.dialect,
    jobs,
    apart,
    events,
    eventsPerSecond,
    eventsPerCpuSecond: cpu,
    load,
  }),
);
if (database.dialect === 'postgres') await database.query('ANALYZE');

const middle = new Date(start + jobs / 2).toISOString().slice(0, 19);
const searches = {
  everything: {},
  'one state': { state: 'completed' },
  'a rare state': { state: 'dead' },
  'state and contract': { state: 'dead', contract: 'contract-3.run' },
  'queue and service': { queue: 'queue-2', service: 'email' },
  'a fingerprint': { fingerprint: '000000000001' },
  'a fingerprint that is dead': { fingerprint: '000000000001', state: 'dead' },
  'to: of the oldest job': { q: 'to:user-0@example.com' },
  'to: of the newest job': { q: `to:user-${jobs - 1}@example.com` },
  'to: of nobody': { q: 'to:nobody@example.com' },
  'a frequent value': { q: 'template:reset' },
  'a frequent value of dead jobs': { q: 'template:welcome state:dead' },
  'two frequent values': { q: 'template:reset data.plan:pro' },
  'two values that never meet': { q: 'to:user-5@example.com to:user-6@example.com' },
  'a second in the middle': {
    after: middle,
    before: new Date(start + jobs / 2 + 1_000).toISOString().slice(0, 23) + 'Z',
  },
  'a value since the middle': { q: 'data.plan:pro', after: middle },
  'an old time and a state': {
    before: new Date(start + 2_000).toISOString().slice(0, 23) + 'Z',
    state: 'completed',
  },
};
const search = new JobSearch(database, kinds);
for (const [what, parameters] of Object.entries(searches)) {
  const { query, page } = readJobQuery(parameters);
  const took = [];
  let found;
  let pages = 0;
  for (let run = 0; run < 20; run++) {
    const began = performance.now();
    found = await search.find(query, page);
    took.push(performance.now() - began);
  }
  for (let next = found, seen = found.jobs.length; ; pages++) {
    if (next.next === undefined || seen >= 50 || pages > 50) break;
    next = await search.find(query, { ...page, cursor: next.next });
    seen += next.jobs.length;
  }
  took.sort((a, b) => a - b);
  console.log(
    `${what.padEnd(32)} ${String(found.jobs.length).padStart(3)} jobs  median ${took[10].toFixed(1)} ms  longest ${took.at(-1).toFixed(1)} ms${pages > 0 ? `  on ${pages + 1} pages` : ''}`,
  );
}
await database.close();
await server?.stop();
rmSync(folder, { recursive: true });
