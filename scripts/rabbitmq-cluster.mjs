/**
 * A private cluster for what only a cluster can do: lose a leader, fall apart. Nodes as in rabbitmq.mjs, which know one
 * another; a node that is killed and started again comes back into the cluster with its data.
 */
import { randomUUID } from 'node:crypto';
import { freePorts } from './free-ports.mjs';
import { findRabbitmqServer, startInstalledRabbitmq } from './rabbitmq-installed.mjs';
import { Unavailable } from './unavailable.mjs';
/** @import { Rabbitmq, RabbitmqOptions } from './rabbitmq.mjs' */

/**
 * @typedef {object} ClusterMember What nodes of a cluster share, and the name of one of them.
 * @property {string} name Erlang node name.
 * @property {string} cookie
 * @property {number} epmd Port of the Erlang port mapper.
 */

/**
 * @typedef {object} RabbitmqCluster
 * @property {Rabbitmq[]} nodes
 * @property {() => Promise<void>} stop Ends and removes all nodes.
 */

/** As docs/reliability.md recommends for three nodes: a minority stops instead of going on alone, and … */
const CONFIG = ['cluster_partition_handling = pause_minority'];

/** … what a delay queue passed on when a leader was lost is passed on again after 10 s, not after 3 minutes. */
const ADVANCED = '[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 10000}]}].';

/**
 * Starts a cluster of nodes of the server that is installed here.
 *
 * @param {RabbitmqOptions & { size?: number }} options `size`: number of nodes, default 3.
 * @returns {Promise<RabbitmqCluster>} Resolves when every node is in the cluster and answers.
 * @throws {Unavailable} when no server is installed; any other error is a node that did not start.
 */
export async function startRabbitmqCluster({ size = 3, ...options } = {}) {
  const server = options.server ?? process.env.JOBRAIL_RABBITMQ_SERVER ?? (await findRabbitmqServer());
  if (!server) {
    throw new Unavailable(
      'No RabbitMQ cluster: no rabbitmq-server on PATH.',
      'Install rabbitmq-server (apt-get install rabbitmq-server); a cluster in containers is not supported.',
    );
  }
  const id = randomUUID().slice(0, 8);
  const [epmd = 0] = await freePorts(1);
  const names = Array.from({ length: size }, (_, i) => `jobrail-${id}-${i + 1}@localhost`);
  const config = [
    'cluster_formation.peer_discovery_backend = classic_config',
    ...names.map((name, i) => `cluster_formation.classic_config.nodes.${i + 1} = ${name}`),
    ...CONFIG,
    ...(options.config ?? []),
  ];
  /** @type {Rabbitmq[]} */
  const nodes = [];
  const stop = async () => {
    // The first node owns the port mapper of all.
    for (const node of nodes.toReversed()) await node.stop();
  };
  try {
    // One after another: nodes that boot at the same time may each found a cluster of their own.
    for (const name of names) {
      nodes.push(
        await startInstalledRabbitmq(
          server,
          { advanced: ADVANCED, ...options, config },
          { name, cookie: id, epmd },
        ),
      );
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes, stop };
}
