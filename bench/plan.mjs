// What is measured: modes, with the systems, variants and sizes of each.

const peers = [
  ['golevelup', ''], ['rascal', ''], ['rabbitmq-client', ''], ['bullmq', ''], ['graphile-worker', ''], ['pg-boss', ''],
]; // prettier-ignore
const bare = [['amqplib', 'best'], ['amqplib', 'plain']]; // prettier-ignore
const ours = [['jobrail', 'events off'], ['jobrail', 'default']]; // prettier-ignore

/** Jobs of a drain by concurrency (1, 10, more), so many that each lasts a few seconds. */
const quickSizes = [4_500, 30_000, 90_000];
const peerSizes = [3_000, 12_000, 30_000];
const sizes = { amqplib: quickSizes, jobrail: quickSizes, 'graphile-worker': [2_000, 3_000, 5_000], 'pg-boss': [1_500, 6_000, 20_000] }; // prettier-ignore
const bulkSizes = { rascal: 5_000 };

/** Each on top of `events off`, but for those that say `events on`; prefetch is found by itself. */
const features = [
  'events off', 'events off, validation', 'events on', 'events on, best-effort', 'events on, validation',
  'events on, validation, tracing with SDK, 1 % sampled', 'events on, validation, tracing with SDK, all sampled',
  'events off, idempotency on SQLite', 'events off, idempotency on PostgreSQL', 'events off, 3 priorities', 'events off, delay',
  'events off, retries of each tenth',
]; // prettier-ignore

/** Of each mode the tasks of one round, in the order they are run. */
export function plan({ quick }) {
  const size = quick ? 0.25 : 1;
  const drainJobs = (concurrency, system) => {
    const place = concurrency === 1 ? 0 : concurrency === 10 ? 1 : 2;
    return Math.round(size * (sizes[system] ?? peerSizes)[place]);
  };
  const all = [...bare, ...ours, ...peers];
  const some = (systems, task) => systems.map(([system, variant]) => ({ system, variant, ...task(system) }));
  const tasks = {
    drain: (quick ? [1, 10, 100] : [1, 10, 100, 250, 1_000]).flatMap((concurrency) =>
      some(concurrency > 100 ? [...bare, ...ours] : all, (system) => ({ mode: 'drain', concurrency, jobs: drainJobs(concurrency, system) })),
    ),
    enqueue: [
      ...some(all, () => ({ mode: 'enqueue one by one', jobs: Math.round(size * 1_000) })),
      ...some(all, (system) => ({ mode: 'enqueue bulk', jobs: Math.round(size * (bulkSizes[system] ?? 50_000)) })),
    ],
    latency: some([...bare.slice(0, 1), ...ours, ...peers.slice(0, 5)], () => ({ mode: 'latency', rate: 100, jobs: quick ? 200 : 600 })),
    load: (quick ? [0.1, 0.9] : [0.1, 0.3, 0.5, 0.7, 0.9]).flatMap((part) =>
      some([bare[0], ...ours], () => ({ mode: 'latency', load: part, seconds: quick ? 2 : 3 })),
    ),
    // The rate 0 is for all at once.
    lateness: (quick ? [0] : [0, 100, 1_000]).flatMap((rate) =>
      some([['jobrail', 'default'], ['bullmq', '']], () => ({ mode: 'lateness', rate, jobs: quick ? 300 : rate === 0 ? 1_000 : 5 * rate })),
    ),
    'scale-out': [1, 2, 4].flatMap((processes) =>
      some([bare[0], ours[0]], () => ({ mode: 'scale-out', processes, jobs: Math.round(size * 100_000) })),
    ),
    backlog: [10_000, quick ? 100_000 : 1_000_000].map((waiting) => ({
      mode: 'backlog', system: 'jobrail', variant: 'events off', waiting, jobs: 10_000,
    })),
    features: features.map((variant) => ({
      mode: 'feature', system: 'jobrail', variant, auto: true, concurrency: 100, jobs: Math.round(size * (/delay|SQL/.test(variant) ? 6_000 : 45_000)),
    })),
    priority: [
      ...['events off', 'events off, 3 priorities'].map((variant) => ({
        mode: 'enqueue lanes', system: 'jobrail', variant, jobs: Math.round(size * 50_000),
      })),
      { mode: 'urgent', system: 'jobrail', variant: 'events off, 3 priorities', concurrency: 10, handlerMs: 20, waiting: quick ? 20_000 : 100_000, jobs: quick ? 20 : 50 },
    ],
  }; // prettier-ignore
  return tasks;
}
