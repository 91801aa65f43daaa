/**
 * A process that enqueues each job in a transaction with an order of the same id. Some transactions it rolls back. Told to die,
 * it does so right after a commit. Started by the crew with its settings as JSON.
 */
import { JobClient } from 'jobrail';
import pg from 'pg';
import { Work } from './contracts.js';
import { readSettings } from './member-channel.js';
import { produce, type ProducerSettings } from './producing.js';
import { Random } from './random.js';

/** Of the transactions, so many are rolled back. */
const rolledBack = 0.05;

const settings = readSettings<ProducerSettings & { store: string }>();
const jobs = new JobClient({ url: settings.url, prefix: settings.prefix, name: settings.name });
const pool = new pg.Pool({ connectionString: settings.store, max: 10 });
let dying = false;
const dice = new Random(settings.seed).of('transactions');

await produce(settings, {
  async send({ id, payload, options }) {
    const fate = dice.of(id).next();
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await client.query('INSERT INTO orders (job) VALUES ($1)', [id]);
      await jobs.enqueueIn(client, Work, payload, options);
      await client.query(fate < rolledBack ? 'ROLLBACK' : 'COMMIT');
    } finally {
      client.release();
    }
    if (fate < rolledBack) return 'refused';
    if (dying) process.kill(process.pid, 'SIGKILL');
    return 'confirmed';
  },
  async close() {
    await pool.end();
    await jobs.close();
  },
  orders: { 'die-after-commit': () => void (dying = true) },
});
