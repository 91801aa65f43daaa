// The servers that are measured: those of AMQP_URL, REDIS_URL and DATABASE_URL, else private ones, with what survives a crash.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../scripts/free-ports.mjs';
import { startPostgres } from '../scripts/postgres.mjs';
import { startRabbitmq } from '../scripts/rabbitmq.mjs';

/** @returns {Promise<{ urls: Record<string, string | undefined>, notes: string[], stop: () => Promise<void> }>} */
export async function bringUp() {
  const ends = [];
  const notes = [];
  const { AMQP_URL, REDIS_URL, DATABASE_URL } = process.env;
  const urls = { rabbitmq: AMQP_URL, redis: REDIS_URL, postgres: DATABASE_URL };
  const start = async (name, what, begin) => {
    if (urls[name]) return;
    try {
      const server = await begin();
      ends.push(() => server.stop());
      urls[name] = server.url;
    } catch (error) {
      notes.push(`${what} is left out with what needs it: ${error.message}`);
    }
  };
  await Promise.all([
    start('rabbitmq', 'RabbitMQ', () => startRabbitmq()),
    start('redis', 'Redis', startRedis),
    start('postgres', 'PostgreSQL', () => startPostgres({ durable: true })),
  ]);
  const stop = async () => {
    for (const end of ends.splice(0)) await end().catch(() => undefined);
  };
  return { urls, notes, stop };
}

/** With an append-only file and fsync at each write. */
async function startRedis() {
  const [port] = await freePorts(1);
  const folder = mkdtempSync(join(tmpdir(), 'jobrail-bench-redis-'));
  const options = {
    port,
    bind: '127.0.0.1',
    dir: folder,
    appendonly: 'yes',
    appendfsync: 'always',
    save: '',
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const server = spawn('redis-server', args, { stdio: 'ignore' });
  const stop = async () => {
    server.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  const failed = await new Promise((resolve) => {
    server.once('error', resolve).once('exit', resolve);
    setTimeout(resolve, 1_000);
  });
  if (failed) {
    await stop();
    throw new Error('redis-server does not start here');
  }
  return { url: `redis://127.0.0.1:${port}`, stop };
}

/** Names and versions of the servers that answer. */
export async function serverVersions({ rabbitmq, redis, postgres }) {
  const told = [];
  if (rabbitmq) {
    const { connect } = createRequire(new URL('../framework/package.json', import.meta.url))('amqplib');
    const connection = await connect(rabbitmq);
    told.push(`RabbitMQ ${connection.connection.serverProperties.version}`);
    await connection.close();
  }
  if (redis) {
    const { Redis } = await import('ioredis');
    const client = new Redis(redis);
    told.push(`Redis ${/redis_version:(\S+)/.exec(await client.info('server'))?.[1]}`);
    await client.quit();
  }
  if (postgres) {
    const { default: pg } = await import('pg');
    const client = new pg.Client(postgres);
    await client.connect();
    const { rows } = await client.query('show server_version');
    told.push(`PostgreSQL ${rows[0].server_version.split(' ')[0]}`);
    await client.end();
  }
  return told;
}
