import { obtainPostgres } from './postgres.mjs';
import { obtainRabbitmq } from './rabbitmq.mjs';
import { Unavailable } from './unavailable.mjs';

/**
 * @typedef {object} TestServers
 * @property {Record<string, string>} env AMQP_URL and DATABASE_URL, those of them that can be had.
 * @property {Unavailable[]} missing
 * @property {() => Promise<void>} stop
 */

/**
 * The servers that tests run against: those that the environment names, else private ones. Both start at once.
 *
 * @param {{ rabbitmq: boolean, postgres: boolean }} needs
 * @param {(line: string) => void} note Told where each one comes from.
 * @returns {Promise<TestServers>}
 * @throws {Error} when one is there but does not start.
 */
export async function provideTestServers(needs, note) {
  /** @type {{ url: string, source: string, stop: () => Promise<void> }[]} */
  const servers = [];
  /** @type {Unavailable[]} */
  const missing = [];
  /** @type {unknown[]} */
  const failures = [];
  const starting = [
    ...(needs.rabbitmq ? [obtainRabbitmq({ note })] : []),
    ...(needs.postgres ? [obtainPostgres()] : []),
  ];
  for (const result of await Promise.allSettled(starting)) {
    if (result.status === 'fulfilled') servers.push(result.value);
    else if (result.reason instanceof Unavailable) missing.push(result.reason);
    else failures.push(result.reason);
  }
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  if (failures.length) {
    await stop();
    throw failures[0];
  }
  /** @type {Record<string, string>} */
  const env = {};
  for (const { url, source } of servers) {
    const name = url.startsWith('amqp') ? 'AMQP_URL' : 'DATABASE_URL';
    note(source === name ? `${name} as given` : `${name}=${url} (private, ${source})`);
    env[name] = url;
  }
  return { env, missing, stop };
}
