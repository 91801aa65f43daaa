// What is measured: modes, with the systems, variants and sizes of each.

const peers = [
  ['golevelup', ''], ['rascal', ''], ['rabbitmq-client', ''], ['bullmq', ''], ['graphile-worker', ''], ['pg-boss', ''],
]; // prettier-ignore
const bare = [['amqplib', 'best'], ['amqplib', 'plain']]; // prettier-ignore
const ours = [['jobrail', 'events off'], ['jobrail', 'default']]; // prettier-ignore
const slow = new Set(['graphile-worker', 'pg-boss']);

const features = [
  'events off', 'events off, validation', 'events on', 'events on, validation, tracing with SDK, 1 % sampled',
  'events on, validation, tracing with SDK, all sampled', 'events off, idempotency on SQLite',
  'events off, idempotency on PostgreSQL', 'events off, 3 priorities', 'events off, delay', 'events off, retries of each tenth',
]; // prettier-ignore

/** Of each mode the tasks of one round, in the order they are run. */
export function plan({ quick }) {
  const size = quick ? 0.25 : 1;
  const drainJobs = (concurrency, system) =>
    Math.round(
      size *
        Math.min(
          slow.has(system) ? 5_000 : 100_000,
          concurrency === 1 ? 2_500 : concurrency === 10 ? 15_000 : 100_000,
        ),
    );
  const all = [...bare, ...ours, ...peers];
  const some = (systems, task) => systems.map(([system, variant]) => ({ system, variant, ...task(system) }));
  const tasks = {
    drain: (quick ? [1, 10, 100] : [1, 10, 100, 250, 1_000]).flatMap((concurrency) =>
      some(all, (system) => ({ mode: 'drain', concurrency, jobs: drainJobs(concurrency, system) })),
    ),
    enqueue: [
      ...some(all, () => ({ mode: 'enqueue one by one', jobs: Math.round(size * 2_000) })),
      ...some(all, () => ({ mode: 'enqueue bulk', jobs: Math.round(size * 50_000) })),
    ],
    latency: some([...bare.slice(0, 1), ...ours, ...peers.slice(0, 5)], () => ({ mode: 'latency', rate: 100, jobs: quick ? 300 : 1_000 })),
    load: (quick ? [0.1, 0.5, 0.9] : [0.1, 0.3, 0.5, 0.7, 0.9]).flatMap((part) =>
      some([bare[0], ...ours], () => ({ mode: 'latency', load: part, seconds: quick ? 2 : 5 })),
    ),
    lateness: (quick ? [100] : [100, 1_000]).flatMap((rate) =>
      some([['jobrail', 'events off'], ['bullmq', '']], () => ({ mode: 'lateness', rate, jobs: quick ? 500 : 5 * rate })),
    ),
    'scale-out': [1, 2, 4].flatMap((processes) =>
      some([bare[0], ours[0]], () => ({ mode: 'scale-out', processes, jobs: Math.round(size * 100_000) })),
    ),
    backlog: [10_000, quick ? 100_000 : 1_000_000].map((waiting) => ({
      mode: 'backlog', system: 'jobrail', variant: 'events off', waiting, jobs: 10_000,
    })),
    features: features.map((variant) => ({
      mode: 'feature', system: 'jobrail', variant, concurrency: 100, jobs: Math.round(size * (/delay|SQL/.test(variant) ? 10_000 : 50_000)),
    })),
    'priority-enqueue': ['events off', 'events off, 3 priorities'].map((variant) => ({
      mode: 'enqueue bulk', system: 'jobrail', variant, jobs: Math.round(size * 50_000),
    })),
  }; // prettier-ignore
  return tasks;
}
