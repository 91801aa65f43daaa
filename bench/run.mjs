#!/usr/bin/env node
// npm run bench [-- --quick] [--json FILE] [--markdown FILE] [--modes drain,enqueue,…] [--systems jobrail,amqplib,…]
//   [--rounds N] [--with FILE]: with the rows that another run has written by --json, of what is not measured now
// Jobrail beside bare amqplib and what people would use instead; interleaved, each measurement in a process of its own.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePorts } from '../scripts/free-ports.mjs';
import { startPostgres } from '../scripts/postgres.mjs';
import { startRabbitmq } from '../scripts/rabbitmq.mjs';
import { plan } from './plan.mjs';
import { markdown, median, summarize, withEarlier } from './report.mjs';

const here = import.meta.dirname;
const { values: args } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    markdown: { type: 'string' },
    modes: { type: 'string' },
    systems: { type: 'string' },
    rounds: { type: 'string' },
    with: { type: 'string', multiple: true },
  },
});
const rounds = Number(args.rounds ?? (args.quick ? 1 : 3));
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
if (!existsSync(join(here, 'node_modules'))) {
  console.error('Installing what Jobrail is measured against, into bench/ only …');
  execFileSync(npm, ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], {
    cwd: here,
    stdio: ['ignore', 2, 2],
  });
}
execFileSync(npm, ['run', 'build', '--silent'], { cwd: join(here, '..'), stdio: ['ignore', 2, 2] });

const ends = [];
const urls = {
  rabbitmq: process.env.AMQP_URL,
  redis: process.env.REDIS_URL,
  postgres: process.env.DATABASE_URL,
};
const notes = [];
const joined = (args.with ?? []).map((file) => JSON.parse(readFileSync(file, 'utf8')));
const earlier = joined.flatMap(({ rows }) => rows);
for (const note of joined.flatMap((run) => run.notes)) if (!notes.includes(note)) notes.push(note);
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => void end().then(() => process.exit(130)));
try {
  await bringUp();
  await main();
} finally {
  await end();
}

async function bringUp() {
  if (!urls.rabbitmq) {
    const broker = await startRabbitmq();
    ends.push(() => broker.stop());
    urls.rabbitmq = broker.url;
  }
  if (!urls.redis) {
    const [port] = await freePorts(1);
    const folder = mkdtempSync(join(tmpdir(), 'jobrail-bench-redis-'));
    const options = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      folder,
      '--appendonly',
      'yes',
      '--appendfsync',
      'always',
      '--save',
      '',
    ];
    const redis = spawn('redis-server', options, { stdio: 'ignore' });
    const failed = await new Promise((resolve) => {
      redis.once('error', () => resolve(true));
      setTimeout(() => resolve(false), 1_000);
    });
    ends.push(async () => {
      redis.kill();
      rmSync(folder, { recursive: true, force: true });
    });
    if (failed) notes.push('no redis-server on this machine: BullMQ is left out');
    else urls.redis = `redis://127.0.0.1:${port}`;
  }
  if (!urls.postgres) {
    try {
      const postgres = await startPostgres();
      ends.push(() => postgres.stop());
      urls.postgres = postgres.url;
      notes.push('PostgreSQL is a private one without fsync; give DATABASE_URL for one with it');
    } catch (error) {
      notes.push(`no PostgreSQL: ${error.message}`);
    }
  }
  notes.push('Celery and Sidekiq are not measured here: they need Python and Ruby');
}

async function end() {
  for (const stop of ends.splice(0)) await stop().catch(() => undefined);
}

async function main() {
  const tasks = plan(args);
  const wanted = args.modes?.split(',') ?? Object.keys(tasks);
  const systems = args.systems?.split(',');
  const settings = new Map();
  for (const { system } of earlier) settings.set(system, (await import(`./systems/${system}.mjs`)).settings);
  const measured = [];
  for (let round = 0; round < rounds; round++) {
    for (const mode of wanted) {
      for (const task of tasks[mode] ?? unknownMode(mode, tasks)) {
        if (systems && !systems.includes(task.system)) continue;
        const described = await import(`./systems/${task.system}.mjs`).catch((error) => ({ failed: error }));
        if (described.failed || !urls[described.server]) continue;
        settings.set(task.system, described.settings);
        const row = await run({ ...task, url: urls[described.server] }, measured).catch((error) => {
          notes.push(`${task.system} ${task.variant} ${task.mode}: ${error.message}`);
          return undefined;
        });
        if (!row) continue;
        measured.push({ ...row, busy: busy() });
        const shown = row.rate
          ? `${Math.round(row.rate)}/s`
          : `p50 ${row.p50Ms?.toFixed(2)} p99 ${row.p99Ms?.toFixed(1)} ms`;
        const at = [
          row.concurrency && `c=${row.concurrency}`,
          row.load && `load ${row.load}`,
          row.processes && `${row.processes} processes`,
          row.waiting && `${row.waiting} waiting`,
        ];
        tell(measured, settings);
        console.error(
          `${round} ${row.mode} ${at.filter(Boolean).join(' ')} ${row.system} ${row.variant}: ${shown}`,
        );
      }
    }
  }
  console.log(tell(measured, settings));
}

/** Writes what is measured so far, and returns it as Markdown. */
function tell(measured, settings) {
  const rows = withEarlier(summarize(measured), earlier);
  const machine = `${cpus().length} × ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform} ${release()}`;
  const ran = rows.map((row) => row.rounds ?? rounds);
  const [fewest, most] = [Math.min(...ran), Math.max(...ran)];
  const roundsRun = fewest === most ? most : `${fewest} to ${most}`;
  const facts = { machine, versions: versions(), rounds: roundsRun, settings: [...settings] };
  const text = markdown(rows, facts) + [...new Set(notes)].map((note) => `- ${note}.\n`).join('');
  if (args.markdown) writeFileSync(args.markdown, text);
  if (args.json)
    writeFileSync(args.json, JSON.stringify({ machine, versions: facts.versions, notes, rows }, null, 2));
  return text;
}

async function run(task, measured) {
  const { mode, load, waiting, rate } = task;
  const queue = `bench-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  const given = { ...task, queue, databaseUrl: urls.postgres };
  if (mode === 'scale-out') return scaleOut(given);
  if (['drain', 'feature', 'backlog', 'urgent'].includes(mode)) {
    // By another process: what enqueueing leaves on the heap is none of the worker's.
    const lanes = mode === 'urgent' ? { variant: 'events off' } : {};
    await child({ ...given, ...lanes, mode: 'fill', jobs: waiting ?? task.jobs, keep: true });
    const result = await child({ ...given, mode: mode === 'urgent' ? mode : 'drain' });
    return { ...task, rate: undefined, ...result };
  }
  if (load) {
    const jobsPerSecond = load * capacity(task, measured);
    return {
      ...task,
      rate: undefined,
      ...(await child({ ...given, rate: jobsPerSecond, jobs: Math.round(jobsPerSecond * task.seconds) })),
    };
  }
  const result = await child(given);
  return { ...task, rate: undefined, ...(mode === 'lateness' && { dueRate: rate }), ...result };
}

/** Jobs a second that one process can enqueue and drain at the same time, from what was measured before. */
function capacity({ system, variant }, measured) {
  const of = (mode) =>
    [...earlier, ...measured]
      .filter(
        (row) =>
          row.system === system &&
          row.variant === variant &&
          row.mode === mode &&
          (row.concurrency ?? 100) === 100,
      )
      .map(({ rate }) => rate);
  const [enqueue, drain] = [of('enqueue bulk'), of('drain')];
  return enqueue.length && drain.length ? 1 / (1 / median(enqueue) + 1 / median(drain)) : 8_000;
}

async function scaleOut(task) {
  const { processes, jobs } = task;
  await child({ ...task, mode: 'fill', keep: true });
  const parts = await Promise.all(
    Array.from({ length: processes }, () => child({ ...task, mode: 'share', concurrency: 100, keep: true })),
  );
  await child({ ...task, mode: 'nothing' });
  const ran = parts.filter(({ count }) => count > 0);
  const seconds =
    (Math.max(...ran.map(({ last }) => last)) - Math.min(...ran.map(({ first }) => first))) / 1_000;
  return {
    ...task,
    concurrency: 100,
    rate: jobs / seconds,
    rssMb: Math.max(...parts.map(({ rssMb }) => rssMb)),
  };
}

function child(task) {
  return new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, [join(here, 'measure.mjs'), JSON.stringify(task)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const timer = setTimeout(() => process_.kill('SIGKILL'), 180_000);
    let out = '';
    let err = '';
    process_.stdout.on('data', (data) => (out += data));
    process_.stderr.on('data', (data) => (err += data));
    process_.once('close', () => {
      clearTimeout(timer);
      const line = out.trim().split('\n').at(-1);
      try {
        resolve(JSON.parse(line));
      } catch {
        reject(new Error(err.trim().split('\n').slice(0, 6).join(' ').slice(0, 400) || 'it gave no result'));
      }
    });
  });
}

function versions() {
  const of = (path) => JSON.parse(readFileSync(path, 'utf8'));
  const { dependencies } = of(join(here, 'package.json'));
  const { version, dependencies: own } = of(join(here, '../framework/package.json'));
  const peers = [
    '@golevelup/nestjs-rabbitmq',
    'rascal',
    'rabbitmq-client',
    'bullmq',
    'graphile-worker',
    'pg-boss',
  ];
  return [
    `Node ${process.versions.node}`,
    `Jobrail ${version}`,
    `amqplib ${own.amqplib}`,
    ...peers.map((name) => `${name} ${dependencies[name]}`),
  ].join(', ');
}

function unknownMode(mode, tasks) {
  throw new Error(`There is no mode "${mode}": use ${Object.keys(tasks).join(', ')}.`);
}

/** Whether the load of the last minute is more than a bench makes by itself: client, server, and what they start. */
function busy() {
  return loadavg()[0] > cpus().length + 2;
}
