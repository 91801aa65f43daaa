import { basename, dirname } from 'node:path';
import { startRabbitmqCluster } from '../rabbitmq-cluster.mjs';
import { findRabbitmqServer, startInstalledRabbitmq } from '../rabbitmq-installed.mjs';
import { unpackedServer } from './debian-packages.mjs';

/**
 * @typedef {object} TestedBroker
 * @property {string} name What `--only` asks for.
 * @property {string} series Of versions; a server of this series that is installed here is used as it is.
 * @property {string} suite The Debian release that has it. `testing` moves on, so it may have a later one.
 * @property {number} nodes
 */

/** What Jobrail is tested on. @type {readonly TestedBroker[]} */
export const brokers = [
  { name: '3.10', series: '3.10', suite: 'bookworm', nodes: 1 },
  { name: '4.0', series: '4.0', suite: 'trixie', nodes: 1 },
  { name: '4.3', series: '4.3', suite: 'testing', nodes: 1 },
  { name: 'cluster', series: '3.10', suite: 'bookworm', nodes: 3 },
];

/**
 * @typedef {object} RunningBroker
 * @property {string} url Of the first node.
 * @property {string} server Its program.
 * @property {string} version
 * @property {() => Promise<void>} stop
 */

/**
 * Starts a broker privately; see rabbitmq.mjs.
 *
 * @param {TestedBroker} broker
 * @param {{ update: boolean, note: (line: string) => void }} options
 * @returns {Promise<RunningBroker>}
 * @throws {import('../unavailable.mjs').Unavailable} when this machine cannot have it; any other error is one that did not start.
 */
export async function startBroker({ series, suite, nodes }, options) {
  const server = (await installed(series)) ?? (await unpackedServer(suite, options));
  const about = { server, version: versionOf(server) };
  if (nodes === 1) {
    const node = await startInstalledRabbitmq(server, {});
    return { ...about, url: node.url, stop: () => node.stop() };
  }
  const cluster = await startRabbitmqCluster({ server, size: nodes });
  return { ...about, url: cluster.nodes[0]?.url ?? '', stop: cluster.stop };
}

/** @param {string} series */
async function installed(series) {
  const server = await findRabbitmqServer();
  return server && versionOf(server).startsWith(`${series}.`) ? server : undefined;
}

/** `…/rabbitmq_server-3.10.8/sbin/rabbitmq-server` → `3.10.8` @param {string} server */
function versionOf(server) {
  return /rabbitmq_server-(.+)/.exec(basename(dirname(dirname(server))))?.[1] ?? 'unknown';
}
