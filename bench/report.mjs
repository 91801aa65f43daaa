// Rows of all rounds as one row for each measurement, and as Markdown.
import { barsTable } from './bars.mjs';

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length % 2
    ? sorted[(sorted.length - 1) / 2]
    : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
}

/** From this share of the machine on, what others did may have changed a figure. */
const BUSY = 0.15;

/** One row for each mode, system, variant and concurrency: medians of the rounds, with the lowest and highest rate, else p50. */
export function summarize(measured) {
  const groups = Map.groupBy ? Map.groupBy(measured, keyOf) : grouped(measured);
  return [...groups.values()].map((rounds) => {
    const [{ mode, system, variant, concurrency, load, processes, waiting, dueRate, handlerMs }] = rounds;
    const of = (name) => {
      const values = rounds.map((row) => row[name]).filter((value) => typeof value === 'number');
      return values.length > 0 ? median(values) : undefined;
    };
    const main = rounds.map(({ rate, p50Ms }) => rate ?? p50Ms).filter((value) => value !== undefined);
    return {
      mode, system, variant, concurrency, load, processes, waiting, dueRate, handlerMs, rounds: rounds.length,
      rate: of('rate'), min: main.length ? Math.min(...main) : undefined, max: main.length ? Math.max(...main) : undefined,
      p50Ms: of('p50Ms'), p99Ms: of('p99Ms'), early: mode === 'lateness' ? of('early') : undefined, busy: of('others') > BUSY,
      clientCpuPer10k: of('clientCpuPer10k'), brokerCpuPer10k: of('brokerCpuPer10k'), rssMb: of('rssMb'),
    }; // prettier-ignore
  });
}

/** What each row of the JSON has; what was not measured is null. More where it tells the rows of a mode apart, and `rounds` and `busy`. */
const FIELDS = [
  'mode', 'system', 'variant', 'concurrency', 'rate', 'min', 'max', 'p50Ms', 'p99Ms', 'clientCpuPer10k', 'brokerCpuPer10k', 'rssMb',
]; // prettier-ignore

export function asJson({ machine, versions, notes, rows }) {
  const full = rows.map((row) => ({
    ...row,
    ...Object.fromEntries(FIELDS.map((name) => [name, row[name] ?? null])),
  }));
  return JSON.stringify({ machine, versions, notes, rows: full }, null, 2) + '\n';
}

/** A run that `asJson` told. */
export function fromJson(text) {
  const run = JSON.parse(text);
  const known = (row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
  return { ...run, rows: run.rows.map(known) };
}

const order = [
  'drain', 'enqueue one by one', 'enqueue bulk', 'capacity', 'latency', 'lateness', 'scale-out', 'feature', 'feature enqueue', 'enqueue lanes',
  'urgent', 'backlog',
]; // prettier-ignore

/** Rows with those of earlier runs that they have none for. The last of several earlier ones counts. */
export function withEarlier(rows, earlier) {
  const all = new Map([...earlier, ...rows].map((row) => [keyOf(row), row]));
  const place = ({ mode, concurrency = 0, load = 0, processes = 0, dueRate = 0 }) =>
    1e6 * order.indexOf(mode) + concurrency + load + processes + dueRate;
  return [...all.values()].sort((one, other) => place(one) - place(other));
}

function keyOf({ mode, system, variant, concurrency, load, processes, waiting, dueRate }) {
  return JSON.stringify([mode, concurrency, load, processes, waiting, dueRate, system, variant]);
}

function grouped(rows) {
  const groups = new Map();
  for (const row of rows) groups.set(keyOf(row), [...(groups.get(keyOf(row)) ?? []), row]);
  return groups;
}

export function markdown(rows, { machine, versions, settings, notes, quick }) {
  const ran = rows.map(({ rounds }) => rounds);
  const [fewest, most] = [Math.min(...ran), Math.max(...ran)];
  const roundsRun = fewest === most ? `${most}` : `${fewest} to ${most}`;
  return [
    '# Performance',
    '',
    'Written by `npm run bench -- --markdown docs/performance.md`; [bench/README.md](../bench/README.md) says what is measured, and how.',
    '',
    ...(quick
      ? ['By `--quick`, whose drains are too short for code to be compiled to the end: read no ratios.', '']
      : []),
    `Machine: ${machine}.`,
    '',
    `Versions: ${versions}.`,
    '',
    `Medians of ${roundsRun} interleaved round${most === 1 ? '' : 's'}, lowest–highest in brackets where there was more than one. Ratios are to bare amqplib's best recipe in the same table, unless said otherwise. Server CPU is all that the server used meanwhile. Rows marked _busy_ were measured while other work took more than ${100 * BUSY} % of the machine.`,
    '',
    ...barsTable(rows),
    ...[...new Set(rows.map(sectionOf))].flatMap((section) =>
      tableOf(
        section,
        rows.filter((row) => sectionOf(row) === section),
      ),
    ),
    '### Where Jobrail loses',
    '',
    ...losses(rows),
    '',
    '### Settings',
    '',
    ...settings.map(([name, text]) => `- ${name}: ${text}.`),
    ...(notes.length > 0 ? ['', '### Notes of this run', '', ...notes.map((note) => `- ${note}.`)] : []),
    '',
  ].join('\n');
}

function tableOf(section, rows) {
  const base = rows.find(({ system, variant }) => system === 'amqplib' && variant === 'best') ?? rows[0];
  const remarks = base.system === 'amqplib' ? [] : [`Ratios are to ${nameOf(base)}.`, ''];
  const named = (row) => nameOf(row) + (row.busy ? ', _busy_' : '');
  const spread = ({ rounds, min, max }, format) => (rounds > 1 ? ` (${format(min)}–${format(max)})` : '');
  const lateness = base.mode === 'lateness';
  const times = rows.every(({ rate }) => rate === undefined);
  const [head, ...body] = times
    ? [
        ['system', 'p50 ms', 'p99 ms', 'ratio p50 / p99', ...(lateness ? ['early'] : []), 'RSS MB'],
        ...rows.map((row) => [
          named(row),
          fixed(row.p50Ms, 2) + spread(row, (ms) => fixed(ms, 2)),
          fixed(row.p99Ms, 1),
          `${fixed(row.p50Ms / base.p50Ms, 2)} / ${fixed(row.p99Ms / base.p99Ms, 2)}`,
          ...(lateness ? [`${row.early ?? 0}`] : []),
          fixed(row.rssMb, 0),
        ]),
      ]
    : [
        ['system', 'jobs/s', 'ratio', 'client CPU s / 10,000', 'server CPU s / 10,000', 'RSS MB'],
        ...rows.map((row) => [
          named(row),
          whole(row.rate) + spread(row, whole),
          fixed(row.rate / base.rate, 2),
          fixed(row.clientCpuPer10k, 2),
          fixed(row.brokerCpuPer10k, 2),
          fixed(row.rssMb, 0),
        ]),
      ];
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [`### ${section}`, '', ...remarks, line(head), line(head.map(() => '---')), ...body.map(line), ''];
}

function nameOf({ system, variant, waiting, mode }) {
  const jobs = waiting?.toLocaleString('en-US');
  return [system, variant, mode === 'backlog' && `${jobs} waiting`].filter(Boolean).join(', ');
}

function sectionOf({ mode, concurrency, load, processes, dueRate, waiting, handlerMs }) {
  if (mode === 'latency')
    return load ? `Latency at ${Math.round(load * 100)} % of capacity` : 'Latency at 100 jobs/s';
  if (mode === 'lateness')
    return `Lateness of delayed jobs, ${dueRate === 0 ? '1,000 enqueued at once' : `${whole(dueRate)} enqueued, and due, a second`}, delays 0.1–5 s`;
  if (mode === 'scale-out')
    return `Scale-out, ${processes} worker process${processes > 1 ? 'es' : ''}, concurrency ${concurrency} each`;
  if (mode === 'capacity') return 'Capacity: enqueued one by one, 500 under way, and run by one process';
  if (mode === 'enqueue lanes') return 'Enqueue bulk, to one plain queue and to three lanes in turn';
  if (mode === 'urgent')
    return `From confirm to start of an urgent job behind ${waiting.toLocaleString('en-US')} others, concurrency ${concurrency}, handlers of ${handlerMs} ms`;
  if (mode === 'backlog') return 'Backlog: 10,000 jobs of a queue that holds more';
  if (mode === 'feature enqueue') return 'Cost of features, enqueue bulk';
  if (mode === 'feature') return `Cost of features, drain at concurrency ${concurrency}`;
  return concurrency
    ? `${mode[0].toUpperCase()}${mode.slice(1)}, concurrency ${concurrency}`
    : `${mode[0].toUpperCase()}${mode.slice(1)}`;
}

const fixed = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : '–');
const whole = (value) => (Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : '–');

/** Each place where somebody else is faster than Jobrail without events, or, but for bare amqplib, with all defaults. */
function losses(rows) {
  const lost = [];
  for (const section of new Set(rows.map(sectionOf))) {
    const own = rows.filter((row) => sectionOf(row) === section);
    const others = own.filter(({ system }) => system !== 'jobrail');
    for (const ours of own.filter(({ system }) => system === 'jobrail')) {
      const ahead = others.filter((other) =>
        ours.rate === undefined ? other.p50Ms < ours.p50Ms : other.rate > ours.rate,
      );
      const named = ahead.map(({ system, variant, rate, p50Ms }) => {
        const factor = ours.rate === undefined ? ours.p50Ms / p50Ms : rate / ours.rate;
        return `${[system, variant].filter(Boolean).join(' ')} ${factor.toFixed(2)} ×`;
      });
      if (named.length > 0) lost.push(`- ${section}, ${ours.variant}: behind ${named.join(', ')}.`);
    }
  }
  return lost.length > 0 ? lost : ['- Nowhere in this run.'];
}
