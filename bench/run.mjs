#!/usr/bin/env node
// npm run bench [-- --quick] [--json FILE] [--markdown FILE] [--modes drain,enqueue,…] [--systems jobrail,amqplib,…]
//   [--rounds N] [--with FILE]: with the rows that another run has written by --json, of what is not measured now
// Jobrail beside bare amqplib and what people would use instead; interleaved, each measurement in a process of its own. See README.md.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { plan, schedule } from './plan.mjs';
import { asJson, fromJson, markdown, median, summarize, withEarlier } from './report.mjs';

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
if (!Number.isInteger(rounds) || rounds < 1)
  throw new Error(`--rounds ${args.rounds} is no number of rounds.`);
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
if (!existsSync(join(here, 'node_modules'))) {
  console.error('Installing what Jobrail is measured against, into bench/ only …');
  execFileSync(npm, ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], {
    cwd: here,
    stdio: ['ignore', 2, 2],
  });
}
execFileSync(npm, ['run', 'build', '--silent'], { cwd: join(here, '..'), stdio: ['ignore', 2, 2] });
const { bringUp, serverVersions } = await import('./servers.mjs');
const { busySeconds, cpuSeconds, serverOf } = await import('./server-cpu.mjs');

const joined = (args.with ?? []).map((file) => fromJson(readFileSync(file, 'utf8')));
const earlier = joined.flatMap(({ rows }) => rows);
const notes = [...new Set(joined.flatMap((run) => run.notes))];
const tasks = wantedTasks();
if (args.with) {
  const named = (of) => [...new Set(tasks.map((task) => task[of]))].join(', ');
  notes.push(
    `this run measured ${named('mode')} of ${named('system')}; the rest is from earlier ones (--with)`,
  );
}
const { urls, notes: left, stop } = await bringUp();
notes.push(...left);
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => void stop().then(() => process.exit(130)));
try {
  await main();
} finally {
  await stop();
}

function wantedTasks() {
  const all = plan(args);
  const systems = args.systems?.split(',');
  return (args.modes?.split(',') ?? Object.keys(all))
    .flatMap((mode) => all[mode] ?? unknownMode(mode, all))
    .filter(({ system }) => !systems || systems.includes(system));
}

function unknownMode(mode, all) {
  throw new Error(`There is no mode "${mode}": use ${Object.keys(all).join(', ')}.`);
}

async function main() {
  const systems = await describeSystems([...earlier, ...tasks].map(({ system }) => system));
  const turns = schedule(tasks, rounds).filter(({ system }) => systems.get(system)?.usable);
  const facts = {
    machine: `${cpus().length} × ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform} ${release()}`,
    versions: [...clientVersions(systems), ...(await serverVersions(urls))].join(', '),
    settings: [...systems].map(([name, { settings }]) => [name, settings]),
  };
  const seconds = turns.reduce((sum, { about }) => sum + about, 0);
  console.error(
    `${turns.length} measurements in ${rounds} round${rounds === 1 ? '' : 's'}, about ${minutes(seconds)} on two idle cores.` +
      (rounds > 1 ? ' Fewer --rounds or --quick take less.' : ''),
  );
  const measured = [];
  const startedAt = performance.now();
  let planned = 0;
  for (const [turn, task] of turns.entries()) {
    const before = performance.now();
    const { server, filledBy, command } = systems.get(task.system);
    const rows = await run({ ...task, url: urls[server], filledBy, command }, measured).catch((error) => {
      notes.push(`${[task.system, task.variant].filter(Boolean).join(', ')}, ${task.mode}: ${error.message}`);
    });
    planned += task.about;
    const took = (performance.now() - before) / 1_000;
    const rest = (((seconds - planned) / planned) * (performance.now() - startedAt)) / 1_000;
    console.error(
      `${task.round} ${told(task, rows?.[0])} (${took.toFixed(1)} s; ${turn + 1} of ${turns.length}, ${minutes(rest)} left)`,
    );
    if (!rows) continue;
    measured.push(...rows);
    write(measured, facts);
  }
  console.log(write(measured, facts));
  if (!args.markdown) return;
  const prettier = join(here, '../node_modules/prettier/bin/prettier.cjs');
  execFileSync(process.execPath, [prettier, '--write', '--log-level=warn', args.markdown]);
}

/** Each system's settings, the server it runs on, and whether all that it needs is on this machine. */
async function describeSystems(names) {
  const systems = new Map();
  for (const name of new Set(names)) {
    const { settings, server, filledBy, find, missing } = await import(`./systems/${name}.mjs`);
    const found = find && (await find());
    if (find && !found) notes.push(missing);
    const usable = urls[server] && (!find || found);
    systems.set(name, { settings, server, filledBy, usable, ...found });
  }
  return systems;
}

/** @param row undefined if it failed. */
function told(task, row) {
  const { mode, system, variant, concurrency, load, processes, waiting, rate } = task;
  const at = [
    concurrency && `c=${concurrency}`,
    load && `load ${load}`,
    processes && `${processes} processes`,
    waiting && `${waiting} waiting`,
    mode === 'lateness' && `${rate}/s`,
  ];
  const result =
    row?.p50Ms === undefined
      ? `${row ? Math.round(row.rate) : 'failed, 0'}/s`
      : `p50 ${row.p50Ms.toFixed(2)} p99 ${row.p99Ms.toFixed(1)} ms`;
  const others = row?.others > 0 ? `, others ${Math.round(row.others * 100)} %` : '';
  return [mode, ...at, system, variant].filter(Boolean).join(' ') + `: ${result}${others}`;
}

function minutes(seconds) {
  return `${(seconds / 60).toFixed(1)} minutes`;
}

/** Writes what is measured so far, and returns it as Markdown. */
function write(measured, facts) {
  const rows = withEarlier(summarize(measured), earlier);
  const told = [...new Set(notes)];
  const text = markdown(rows, { ...facts, notes: told, quick: args.quick });
  if (args.markdown) writeFileSync(args.markdown, text);
  if (args.json) writeFileSync(args.json, asJson({ ...facts, notes: told, rows }));
  return text;
}

async function run(task, measured) {
  const { mode, load, waiting, rate } = task;
  const queue = `bench-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  const given = { ...task, queue, databaseUrl: urls.postgres };
  if (mode === 'scale-out') return [await scaleOut(given)];
  if (['drain', 'feature', 'backlog', 'urgent'].includes(mode)) {
    // By another process: what enqueueing leaves on the heap is none of the worker's.
    const filled = await child({ ...fillOf(given), jobs: waiting ?? task.jobs });
    const drained = await child({ ...given, mode: mode === 'urgent' ? mode : 'drain' });
    const rows = [{ ...task, rate: undefined, ...drained }];
    if (mode === 'feature')
      rows.push({ ...task, mode: 'feature enqueue', concurrency: undefined, ...filled });
    return rows;
  }
  if (load) {
    const jobsPerSecond = load * capacity(task, measured);
    const jobs = Math.round(jobsPerSecond * task.seconds);
    return [{ ...task, rate: undefined, ...(await child({ ...given, rate: jobsPerSecond, jobs })) }];
  }
  const result = await child(given);
  return [{ ...task, rate: undefined, ...(mode === 'lateness' && { dueRate: rate }), ...result }];
}

function fillOf(task) {
  const by = task.filledBy && { system: task.filledBy, variant: 'best' };
  const lanes = task.mode === 'urgent' && { variant: 'events off' };
  return { ...task, ...by, ...lanes, mode: 'fill', keep: true };
}

/** Jobs a second, as measured before. */
function capacity(task, measured) {
  const rates = [...earlier, ...measured]
    .filter((row) => row.mode === 'capacity' && row.system === task.system && row.variant === task.variant)
    .map(({ rate }) => rate);
  if (rates.length === 0) throw new Error('its capacity was not measured');
  return median(rates);
}

/** Several processes drain one queue; they begin at the same time, and the first third warms up. */
async function scaleOut(task) {
  const { processes, jobs } = task;
  await child(fillOf(task));
  const servers = [serverOf(task.url)];
  const used = () => servers.reduce((sum, pid) => sum + (cpuSeconds(pid) ?? 0), 0) + ownSeconds();
  const from = { busy: busySeconds(), used: used(), at: Date.now() };
  const startAt = Date.now() + 1_000 + 600 * processes;
  const share = { ...task, mode: 'share', concurrency: 100, keep: true, startAt };
  const parts = await Promise.all(Array.from({ length: processes }, () => child(share)));
  const busy = busySeconds();
  const ours = used() - from.used + parts.reduce((sum, { cpu }) => sum + cpu, 0);
  const others =
    busy && Math.max(0, busy - from.busy - ours) / ((Date.now() - from.at) / 1_000) / cpus().length;
  await child({ ...task, mode: 'nothing' });
  const marks = parts.flatMap((part) => part.marks).sort((one, other) => one - other);
  const warm = Math.ceil(marks.length / 3);
  const seconds = (marks.at(-1) - marks[warm]) / 1_000;
  const rssMb = Math.max(...parts.map((part) => part.rssMb));
  const rate = ((marks.length - 1 - warm) * 100) / seconds;
  if (marks.length < (0.99 * jobs) / 100) throw new Error(`only ${marks.length * 100} of ${jobs} jobs ran`);
  return { ...task, concurrency: 100, rate, rssMb, others };
}

function ownSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
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
        reject(new Error(err.trim().split('\n').slice(-6).join(' ').slice(-400) || 'it gave no result'));
      }
    });
  });
}

function clientVersions(systems) {
  const of = (path) => JSON.parse(readFileSync(path, 'utf8'));
  const { dependencies } = of(join(here, 'package.json'));
  const { version, dependencies: own } = of(join(here, '../framework/package.json'));
  const names = { golevelup: '@golevelup/nestjs-rabbitmq' };
  return [
    `Node ${process.versions.node}`,
    `Jobrail ${version}`,
    `amqplib ${own.amqplib}`,
    ...[...systems].flatMap(([name, { version: found }]) => {
      const package_ = names[name] ?? name;
      if (!found && !dependencies[package_]) return [];
      return name === 'amqplib' ? [] : [`${package_} ${found ?? dependencies[package_]}`];
    }),
  ];
}
