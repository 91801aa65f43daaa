// What Jobrail is meant to reach, each held against the rows of a run.

/** As Markdown; what was not measured is left out. @param rows as `summarize` makes them. */
export function barsTable(rows) {
  const judged = bars(rows).filter(({ value }) => Number.isFinite(value));
  if (judged.length === 0) return [];
  return [
    '### Bars',
    '',
    '| what | bar | reached | |',
    '|---|---|---|---|',
    ...judged.map(({ what, most, least, value, unit = '', digits = 2 }) => {
      const met = most === undefined ? value >= least : value <= most;
      const bar = most === undefined ? `≥ ${least}` : `≤ ${most}`;
      return `| ${what} | ${bar}${unit} | ${value.toFixed(digits)}${unit} | ${met ? 'met' : '**missed**'} |`;
    }),
    '',
  ];
}

function bars(rows) {
  const find = (about) =>
    rows.find((row) => Object.entries(about).every(([name, value]) => row[name] === value)) ?? {};
  const bare = (about) => find({ ...about, system: 'amqplib', variant: 'best' });
  const ours = (variant, about) => find({ ...about, system: 'jobrail', variant });
  const ratio = (one, other, of = 'rate') => one[of] / other[of];
  const drain = (concurrency) => ({ mode: 'drain', concurrency });
  const bulk = { mode: 'enqueue bulk' };
  const latency = { mode: 'latency', load: undefined };
  const bullmq = find({ ...latency, system: 'bullmq' });
  const feature = (variant) => ours(variant, { mode: 'feature' });
  const lateness = (of) => ours('default', { mode: 'lateness', dueRate: 0 })[of];
  const waiting = (jobs) => ours('events off', { mode: 'backlog', waiting: jobs });
  const peers = rows.filter(
    ({ mode, concurrency, system }) =>
      mode === 'drain' && concurrency === 100 && !['amqplib', 'jobrail'].includes(system),
  );
  const plain = (concurrency) => {
    const all = rows.filter((row) => row.system === 'amqplib' && row.mode === 'drain');
    return Math.max(...all.filter((row) => row.concurrency === concurrency).map(({ rate }) => rate));
  };
  const lanes = 'events off, 3 priorities';
  const urgent = ours('events off, 3 priorities', { mode: 'urgent' });
  const traced = 'events on, validation, tracing with SDK, all sampled';
  return [
    ...[1, 10].map((c) => ({
      what: `drain, concurrency ${c}, events off, of the quicker bare amqplib`,
      least: 0.9,
      value: ours('events off', drain(c)).rate / plain(c),
    })),
    ...[100, 250, 1_000].map((c) => ({
      what: `drain, concurrency ${c}, events off, of bare amqplib's best recipe`,
      least: 0.85,
      value: ratio(ours('events off', drain(c)), bare(drain(c))),
    })),
    ...[100, 250, 1_000].map((c) => ({
      what: `drain, concurrency ${c}, default settings, of bare amqplib's best recipe`,
      least: 0.6,
      value: ratio(ours('default', drain(c)), bare(drain(c))),
    })),
    {
      what: 'drain, concurrency 100, default settings, of the best peer',
      least: 2,
      value: ours('default', drain(100)).rate / Math.max(...peers.map(({ rate }) => rate)),
    },
    {
      what: 'client CPU for 10,000 jobs, drain at concurrency 100, default settings',
      most: 0.35,
      unit: ' s',
      value: ours('default', drain(100)).clientCpuPer10k,
    },
    {
      what: "`enqueueMany`, events off, of bare amqplib's best recipe",
      least: 0.85,
      value: ratio(ours('events off', bulk), bare(bulk)),
    },
    ...['events off', 'default'].flatMap((variant) =>
      ['p50Ms', 'p99Ms'].flatMap((of) => [
        {
          what: `latency at 100 jobs/s, ${variant}, ${of.slice(0, 3)}, of bare amqplib`,
          most: 1.15,
          value: ratio(ours(variant, latency), bare(latency), of),
        },
        {
          what: `latency at 100 jobs/s, ${variant}, ${of.slice(0, 3)}, of BullMQ`,
          most: 1,
          value: ratio(ours(variant, latency), bullmq, of),
        },
      ]),
    ),
    { what: 'lateness of delayed jobs, p50', most: 3, unit: ' ms', digits: 1, value: lateness('p50Ms') },
    { what: 'lateness of delayed jobs, p99', most: 15, unit: ' ms', digits: 1, value: lateness('p99Ms') },
    { what: 'delayed jobs that started early', most: 0, digits: 0, value: lateness('early') },
    {
      what: 'drain of three lanes, of one plain queue',
      least: 0.9,
      value: ratio(feature(lanes), feature('events off')),
    },
    {
      what: '`enqueueMany` to three lanes, of one plain queue',
      least: 0.9,
      value: ratio(ours(lanes, { mode: 'enqueue lanes' }), ours('events off', { mode: 'enqueue lanes' })),
    },
    {
      what: `an urgent job behind ${urgent.waiting?.toLocaleString('en-US')}, handlers of ${urgent.handlerMs} ms: starts after (p99)`,
      most: urgent.handlerMs ?? 0,
      unit: ' ms',
      digits: 1,
      value: urgent.p99Ms,
    },
    {
      what: 'drain with every job traced by an SDK, of the same without',
      least: 0.6,
      value: ratio(feature(traced), feature('events on, validation')),
    },
    {
      what: 'RSS with 1,000,000 waiting jobs, of that with 10,000',
      most: 1.1,
      value: ratio(waiting(1_000_000), waiting(10_000), 'rssMb'),
    },
  ];
}
