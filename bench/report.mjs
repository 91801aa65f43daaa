// Rows of all rounds as one row for each measurement, and as Markdown.
import { barsTable } from './bars.mjs';

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length % 2
    ? sorted[(sorted.length - 1) / 2]
    : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
}

/** One row for each mode, system, variant and concurrency: medians of the rounds, with the lowest and highest rate. */
export function summarize(measured) {
  const groups = Map.groupBy ? Map.groupBy(measured, keyOf) : grouped(measured);
  return [...groups.values()].map((rounds) => {
    const [{ mode, system, variant, concurrency, load, processes, waiting, dueRate, handlerMs }] = rounds;
    const of = (name) => {
      const values = rounds.map((row) => row[name]).filter((value) => typeof value === 'number');
      return values.length > 0 ? median(values) : undefined;
    };
    const rates = rounds.map(({ rate }) => rate).filter((rate) => rate !== undefined);
    return {
      mode, system, variant, concurrency, load, processes, waiting, dueRate, handlerMs, rounds: rounds.length,
      rate: of('rate'), min: rates.length ? Math.min(...rates) : undefined, max: rates.length ? Math.max(...rates) : undefined,
      p50Ms: of('p50Ms'), p99Ms: of('p99Ms'), early: of('early'),
      busy: rounds.some(({ busy }) => busy),
      clientCpuPer10k: of('clientCpuPer10k'), brokerCpuPer10k: of('brokerCpuPer10k'), rssMb: of('rssMb'),
    }; // prettier-ignore
  });
}

const order = [
  'drain', 'enqueue one by one', 'enqueue bulk', 'latency', 'lateness', 'scale-out', 'backlog', 'feature', 'enqueue lanes', 'urgent',
]; // prettier-ignore

/** Rows with those of earlier runs that they have none for. The last of several earlier ones counts. */
export function withEarlier(rows, earlier) {
  const all = new Map([...earlier, ...rows].map((row) => [keyOf(row), row]));
  const place = ({ mode, concurrency = 0, load = 0 }) => 1e6 * order.indexOf(mode) + concurrency + load;
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

export function markdown(rows, { machine, versions, rounds, settings }) {
  const lines = [
    '# Performance',
    '',
    'Written by `npm run bench -- --markdown docs/performance.md`, joined from several runs with `--with`.',
    '',
    `Machine: ${machine}.`,
    '',
    `Versions: ${versions}.`,
    '',
    `Medians of ${rounds} interleaved round${rounds === 1 ? '' : 's'}, lowest–highest in brackets; the first third of a drain warms up and is not counted; ratios are to bare amqplib's best recipe in the same place, unless said otherwise. Server CPU is all that the server used meanwhile, for others too.`,
    '',
  ];
  lines.push(...barsTable(rows));
  const sections = [...new Set(rows.map(sectionOf))];
  for (const section of sections) {
    const own = rows.filter((row) => sectionOf(row) === section);
    const base = own.find(({ system, variant }) => system === 'amqplib' && variant === 'best') ?? own[0];
    const against =
      base === own[0] && base.system !== 'amqplib' ? `Ratios are to ${nameOf(base)}.` : undefined;
    const busy = own.some((row) => row.busy)
      ? 'The machine did other work beside: read ratios and CPU.'
      : undefined;
    const remarks = [against, busy].filter(Boolean).join(' ');
    lines.push(`### ${section}`, '', ...(remarks ? [remarks, ''] : []));
    const timesOnly = own.every(({ rate }) => rate === undefined);
    lines.push(
      timesOnly
        ? '| system | p50 ms | p99 ms | ratio p50 / p99 | early | RSS MB |'
        : '| system | jobs/s | ratio | client CPU s / 10,000 | server CPU s / 10,000 | RSS MB |',
    );
    lines.push(timesOnly ? '|---|---|---|---|---|---|' : '|---|---|---|---|---|---|');
    for (const row of own) {
      const name = nameOf(row);
      lines.push(
        timesOnly
          ? `| ${name} | ${fixed(row.p50Ms, 2)} | ${fixed(row.p99Ms, 1)} | ${fixed(row.p50Ms / base.p50Ms, 2)} / ${fixed(row.p99Ms / base.p99Ms, 2)} | ${row.early ?? 0} | ${fixed(row.rssMb, 0)} |`
          : `| ${name} | ${whole(row.rate)} (${whole(row.min)}–${whole(row.max)}) | ${fixed(row.rate / base.rate, 2)} | ${fixed(row.clientCpuPer10k, 2)} | ${fixed(row.brokerCpuPer10k, 2)} | ${fixed(row.rssMb, 0)} |`,
      );
    }
    lines.push('');
  }
  lines.push('### Where Jobrail loses', '', ...losses(rows), '');
  lines.push('### Settings', '', ...settings.map(([name, text]) => `- ${name}: ${text}.`), '');
  return lines.join('\n');
}

function nameOf({ system, variant, waiting, mode }) {
  const jobs = waiting?.toLocaleString('en-US');
  return [system, variant, mode === 'backlog' && `${jobs} waiting`].filter(Boolean).join(', ');
}

function sectionOf({ mode, concurrency, load, processes, dueRate, waiting, handlerMs }) {
  if (mode === 'latency')
    return load ? `Latency at ${Math.round(load * 100)} % of capacity` : 'Latency at 100 jobs/s';
  if (mode === 'lateness') return `Lateness of delayed jobs, ${dueRate} enqueued a second, delays 0.1–5 s`;
  if (mode === 'scale-out')
    return `Scale-out, ${processes} worker process${processes > 1 ? 'es' : ''}, concurrency ${concurrency} each`;
  if (mode === 'enqueue lanes') return 'Enqueue bulk, to one plain queue and to three lanes in turn';
  if (mode === 'urgent')
    return `From confirm to start of an urgent job behind ${waiting.toLocaleString('en-US')} others, concurrency ${concurrency}, handlers of ${handlerMs} ms`;
  if (mode === 'backlog') return 'Backlog: 10,000 jobs of a queue that holds more';
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
