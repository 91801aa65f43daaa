// What it costs to remember which work was done (idempotency: claim and mark) and which job is the one of its key (unique: claim,
// sent, end), and what a table with many keys changes. `node bench/effects-cost.mjs [--keys 10000000] [--seconds 5] [--set wal_compression=on]`
// On SQLite in a temporary folder, and on the PostgreSQL of DATABASE_URL, else on a private one that syncs to its disk.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PostgresDatabase } from 'jobrail/postgres';
import { openStore } from 'jobrail/store';
import { SqlIdempotencyStore } from '../framework/dist/src/adapters/sql/sql-idempotency-store.js';
import { SqlUniqueStore } from '../framework/dist/src/adapters/sql/sql-unique-store.js';
import { uuidv7 } from '../framework/dist/src/base/uuidv7.js';
import { startPostgres } from '../scripts/postgres.mjs';

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '0' },
    seconds: { type: 'string', default: '5' },
    kind: { type: 'string', multiple: true, default: ['id', 'order'] },
    set: { type: 'string', multiple: true, default: [] },
  },
});
const [many, seconds] = [Number(values.keys), Number(values.seconds)];
const hourMs = 3_600_000;
const folder = mkdtempSync(join(tmpdir(), 'jobrail-bench-'));
const own = process.env['DATABASE_URL'] ? undefined : await startPostgres({ durable: true });
const server = process.env['DATABASE_URL'] || own.url;

for (const setting of values.set) {
  const [name, value] = setting.split('=');
  const database = await openStore(server);
  await database.query(`ALTER SYSTEM SET ${name} = '${value}'`);
  await database.query('SELECT pg_reload_conf()');
  await database.close();
}

/** How keys are made: `id` is the id of the job, which grows with time; `order` is a key of a payload, in no order. */
const makers = {
  id: () => `payments.charge:${uuidv7(Date.now())}`,
  order: () => `payments.charge:${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`,
};

/** Does `one` over and over, so many at once. @returns how many a second */
async function perSecond(one, atOnce, forSeconds = seconds) {
  let done = 0;
  const began = performance.now();
  const until = began + forSeconds * 1_000;
  const inTurn = async () => {
    for (; performance.now() < until; done++) await one();
  };
  await Promise.all(Array.from({ length: atOnce }, inTurn));
  return Math.round((done / (performance.now() - began)) * 1_000);
}

const idempotent = (store, key) => async () => {
  const { claim } = await store.claim(key(), 60_000, 168 * hourMs);
  await store.complete(claim, { result: undefined, keepForMs: 168 * hourMs });
};
const unique = (store, key) => async () => {
  const claim = { key: key(), job: uuidv7(Date.now()) };
  await store.claim(claim, 30_000);
  await store.sent(claim, hourMs);
  await store.end(claim);
};

async function cost(name, url) {
  const database = await openStore(url);
  const stores = [await SqlIdempotencyStore.open(database), await SqlUniqueStore.open(database)];
  for (const atOnce of [1, 20, 200]) {
    console.log({
      store: name,
      atOnce,
      idempotency: await perSecond(idempotent(stores[0], makers.order), atOnce),
      unique: await perSecond(unique(stores[1], makers.order), atOnce),
    });
  }
  await Promise.all(stores.map((store) => store.close()));
  await database.close();
}

/** Fills a table: all keys done, to be kept for days to come; later a tenth as many that are over. */
const fills = {
  id: `lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - ${many} + i), 12, '0') || '-' || md5(i::text)`,
  order: `md5(i::text)`,
};

/** The same work in an empty table and in a full one, in turn; then in the full one while what is over is pruned. */
async function withMany(kind) {
  const at = async (schema) => {
    const url = new URL(server);
    url.searchParams.set('options', `-c search_path=${schema}`);
    const database = new PostgresDatabase({ url: url.href, statementTimeoutMs: 1_800_000 }); // to fill it
    await database.query(`CREATE SCHEMA ${schema}`);
    return { database, store: await SqlIdempotencyStore.open(database) };
  };
  const [small, full] = [await at(`small_${kind}`), await at(`full_${kind}`)];
  const columns = await full.database.query(
    `SELECT column_name AS name FROM information_schema.columns
     WHERE table_schema = 'full_${kind}' AND table_name = 'jobrail_keys'`,
  );
  const prunable = columns.rows.some(({ name }) => name === 'prune_at');
  const fill = (from, to, forMs) => {
    const until = `(extract(epoch FROM now()) * 1000)::bigint + ${forMs}`;
    return full.database.query(
      `INSERT INTO jobrail_keys (key, token, done, until ${prunable ? ', prune_at' : ''})
       SELECT 'payments.charge:' || ${fills[kind]}, gen_random_uuid()::text || ':1a', 1, ${until} ${prunable ? `, ${until}` : ''}
       FROM generate_series(${from}, ${to}) AS i`,
    );
  };
  await fill(1, many, 168 * hourMs);
  await full.database.query('VACUUM ANALYZE jobrail_keys');
  await full.database.query('CHECKPOINT');
  const rates = { small: [], full: [] };
  for (let round = 0; round < 6; round++) {
    for (const [name, { store }] of Object.entries({ small, full })) {
      rates[name].push(await perSecond(idempotent(store, makers[kind]), 200));
    }
  }
  const median = (all) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)];
  const written = async () => {
    const { rows } = await full.database.query(
      `SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS wal, pg_stat_get_tuples_updated('jobrail_keys'::regclass) AS updated,
         pg_stat_get_tuples_hot_updated('jobrail_keys'::regclass) AS hot`,
    );
    return rows[0];
  };
  const from = await written();
  const inRound = (await perSecond(idempotent(full.store, makers[kind]), 200)) * seconds;
  await new Promise((resolve) => setTimeout(resolve, 2_000)); // until the statistics are told
  const to = await written();
  console.log({
    walBytesPerKey: Math.round((Number(to.wal) - Number(from.wal)) / inRound),
    marksWithinTheirPage: (to.hot - from.hot) / (to.updated - from.updated),
  });
  await fill(many + 1, many * 1.1, -1_000);
  const [before, after] = [median(rates.small), median(rates.full)];
  let pruned = 0;
  const pruning = full.store.prune().then((count) => (pruned = count));
  const began = performance.now();
  const meanwhile = await perSecond(idempotent(full.store, makers[kind]), 200, 4 * seconds);
  console.log({ kind, keys: many, ...rates });
  console.log({ kind, small: before, full: after, ratio: after / before, whilePruning: meanwhile });
  await pruning;
  console.log({ pruned, prunedPerSecond: Math.round((pruned / (performance.now() - began)) * 1_000) });
  for (const { store, database } of [small, full]) {
    await store.close();
    await database.close();
  }
}

try {
  if (many === 0) {
    await cost('SQLite', `sqlite:${join(folder, 'store.sqlite')}`);
    await cost('PostgreSQL', server);
  } else {
    for (const kind of values.kind) await withMany(kind);
  }
} finally {
  await own?.stop();
  rmSync(folder, { recursive: true });
}
