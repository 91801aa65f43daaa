// What is measured: modes, with the systems, variants and sizes of each.

const peers = [
  ['golevelup', ''], ['rascal', ''], ['rabbitmq-client', ''], ['bullmq', ''], ['graphile-worker', ''], ['pg-boss', ''],
  ['celery', ''], ['sidekiq', ''],
]; // prettier-ignore
const bare = [['amqplib', 'best'], ['amqplib', 'plain']]; // prettier-ignore
const ours = [['jobrail', 'events off'], ['jobrail', 'default']]; // prettier-ignore

/** Several jobs to a message; nobody else has that. */
const packed = [['jobrail', 'events off, pack 100'], ['jobrail', 'default, pack 100']]; // prettier-ignore

/**
 * Jobs of a drain at concurrency 1, 10 and more, so many that each lasts a second or more. The first third warms up; at concurrency 1
 * and 10, where fewer jobs run a second, the first half, or code would be compiled while it counts.
 */
const drains = {
  amqplib: [12_000, 60_000, 90_000], 'jobrail, events off': [12_000, 60_000, 90_000], 'jobrail, default': [20_000, 60_000, 90_000],
  golevelup: [10_000, 15_000, 60_000], rascal: [10_000, 15_000, 60_000], 'rabbitmq-client': [10_000, 15_000, 60_000], bullmq: [10_000, 15_000, 30_000],
  'graphile-worker': [6_000, 6_000, 6_000], 'pg-boss': [3_000, 7_500, 15_000], celery: [2_000, 4_000, 6_000], sidekiq: [4_000, 12_000, 12_000],
}; // prettier-ignore
const bulks = { rascal: 9_000, celery: 3_000 };

/** Each on top of `events off`, but for those that say `events on`; prefetch is found by itself. */
const features = [
  'events off', 'events off, 3 priorities', 'events on, validation', 'events on, validation, tracing with SDK, all sampled',
  'events on, validation, tracing with SDK, 1 % sampled', 'events off, validation', 'events on', 'events on, best-effort',
  'events off, idempotency on SQLite', 'events off, idempotency on PostgreSQL', 'events off, delay', 'events off, retries of each tenth',
]; // prettier-ignore
/** What bars are about, and what a quick run leaves out. */
const featuresOfBars = features.slice(0, 4);
const ofFullRuns = features.slice(4, 8);

/** Nobody of these comes near to being the best peer at drains. */
const slow = ['bullmq', 'graphile-worker', 'pg-boss', 'celery', 'sidekiq'];
const drainSeconds = { 1: 12, 10: 10, 100: 7, 250: 6.5, 1_000: 6.5 };

/**
 * Of each mode the tasks of one round, in the order they are run. `part` of the rounds are enough for what no bar is about;
 * `about` is how many seconds it takes on two cores.
 */
export function plan({ quick }) {
  const size = quick ? 0.25 : 1;
  const all = [...bare, ...ours, ...peers];
  const some = (systems, task) =>
    systems.map(([system, variant]) => ({ system, variant, ...task(system, variant) }));
  const isPeer = (system) => !['amqplib', 'jobrail'].includes(system);
  const partOf = (system) => (isPeer(system) ? 1 / 3 : 1);
  const drain = (concurrency) =>
    some(concurrency > 100 || (quick && concurrency < 100) ? [...bare, ...ours] : all, (system, variant) => {
      const jobs = drains[system] ?? drains[`${system}, ${variant}`];
      const seldom =
        concurrency === 100
          ? slow.includes(system)
          : isPeer(system) || (concurrency > 100 && variant === 'plain');
      const count =
        concurrency === 1
          ? Math.round((quick ? 1 / 12 : 1) * jobs[0])
          : Math.round(size * jobs[concurrency === 10 ? 1 : 2]);
      return {
        mode: 'drain',
        concurrency,
        jobs: count,
        ...(concurrency <= 10 && { warmUp: Math.ceil(count / 2) }),
        part: seldom ? 1 / 3 : 1,
        about: quick ? 3.4 : drainSeconds[concurrency],
      };
    });
  return {
    drain: [
      ...(quick ? [1, 10, 100] : [1, 10, 100, 250, 1_000]).flatMap(drain),
      ...some(quick ? [] : packed, () => ({ mode: 'drain', concurrency: 100, jobs: 600_000, part: 2 / 3, about: 14 })),
    ],
    enqueue: [
      ...some(all, (system) => ({ mode: 'enqueue one by one', jobs: Math.round(size * 1_000), part: partOf(system), about: quick ? 1.2 : 2 })),
      ...some(all, (system) => ({ mode: 'enqueue bulk', jobs: Math.round(size * (bulks[system] ?? 75_000)), part: partOf(system), about: quick ? 1.8 : 3.5 })),
      ...some(quick ? [] : packed, () => ({ mode: 'enqueue bulk', jobs: 400_000, part: 2 / 3, about: 5 })),
    ],
    latency: some([bare[0], ...ours, ...peers], (system) => ({
      mode: 'latency', rate: 100, jobs: quick ? 100 : 1_500, ...(quick && { warmUp: 400 }), part: system === 'bullmq' ? 1 : partOf(system),
      about: (quick ? 2.2 : 18) + (system === 'graphile-worker' ? 7 : 0),
    })),
    load: [
      ...some([bare[0], ...ours], () => ({ mode: 'capacity', jobs: quick ? 10_000 : 60_000, part: 2 / 3, about: quick ? 2.5 : 6 })),
      ...(quick ? [0.5] : [0.1, 0.3, 0.5, 0.7, 0.9]).flatMap((load) =>
        some([bare[0], ...ours], () => ({ mode: 'latency', load, seconds: quick ? 1.5 : 3, warmUp: quick ? 2_000 : 10_000, part: 1 / 3, about: quick ? 3.2 : 9 })),
      ),
    ],
    // The rate 0 is for all at once.
    lateness: (quick ? [0, 1_000] : [0, 100, 1_000]).flatMap((rate) =>
      some([['jobrail', 'default'], ['bullmq', '']], (system) => ({
        mode: 'lateness', rate, jobs: rate === 0 ? 1_000 : (quick ? 1 : 5) * rate, part: rate === 0 ? partOf(system) : 1 / 3,
        about: rate === 0 || quick ? 7.5 : 12.5,
      })),
    ),
    'scale-out': (quick ? [1, 2] : [1, 2, 4]).flatMap((processes) =>
      some([bare[0], ours[0]], () => ({ mode: 'scale-out', processes, jobs: quick ? 25_000 : 150_000, part: 1 / 3, about: quick ? 7.5 : 12 })),
    ),
    features: features.filter((variant) => !quick || !ofFullRuns.includes(variant)).map((variant) => ({
      mode: 'feature', system: 'jobrail', variant, auto: true, concurrency: 100, jobs: Math.round(size * (/SQL/.test(variant) ? 30_000 : 60_000)),
      part: featuresOfBars.includes(variant) ? 1 : 1 / 3, about: quick ? 4.6 : 8,
    })),
    priority: [
      ...['events off', 'events off, 3 priorities'].map((variant) => ({
        mode: 'enqueue lanes', system: 'jobrail', variant, jobs: Math.round(size * 75_000), about: quick ? 2.5 : 4,
      })),
      {
        mode: 'urgent', system: 'jobrail', variant: 'events off, 3 priorities', concurrency: 10, handlerMs: 20, waiting: quick ? 20_000 : 100_000,
        jobs: quick ? 20 : 50, part: 2 / 3, about: quick ? 5 : 11,
      },
    ],
    backlog: [10_000, quick ? 50_000 : 1_000_000].map((waiting) => ({
      mode: 'backlog', system: 'jobrail', variant: 'events off', waiting, jobs: 10_000, part: 1 / 3, about: waiting > 100_000 ? 60 : 5,
    })),
  }; // prettier-ignore
}

/**
 * What is run, in order: all rounds of what bars are about, so A B C A B C; of the rest the last ones.
 *
 * @param {number} rounds
 */
export function schedule(tasks, rounds) {
  return Array.from({ length: rounds }, (_, round) =>
    tasks
      .filter(({ part = 1 }) => round >= rounds - Math.ceil(rounds * part))
      .map((task) => ({ ...task, round: round + 1 })),
  ).flat();
}
