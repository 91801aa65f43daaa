/**
 * A private RabbitMQ for tests, the demo and measurements: an own node with own ports, data folder, cookie and
 * epmd, all on loopback, beside whatever broker the machine may run already. It is gone when its owner is gone
 * (see watchdog.mjs).
 *
 * States: running → (`kill` or `stop({ keepData: true })`) → halted → (`start`) → running …; `stop()` ends it for good.
 */
import { startContainerRabbitmq } from './rabbitmq-container.mjs';
import { findRabbitmqServer, startInstalledRabbitmq } from './rabbitmq-installed.mjs';
import { Unavailable } from './unavailable.mjs';

/**
 * @typedef {object} RabbitmqOptions
 * @property {boolean} [management] With the management API and the Prometheus endpoint. Default false: boots 3 s sooner.
 * @property {string[]} [config] More lines for rabbitmq.conf: `['consumer_timeout = 60000']`.
 * @property {string} [advanced] What advanced.config is to hold, for what rabbitmq.conf has no key for. A container goes without.
 * @property {string} [server] Path of the `rabbitmq-server` to run. Default: env JOBRAIL_RABBITMQ_SERVER, else the one found.
 * @property {(line: string) => void} [note] Told what takes long, such as pulling an image. Default: not told.
 */

/**
 * @typedef {object} Rabbitmq
 * @property {string} url AMQP URL; the same after a restart.
 * @property {string} name Erlang name of the node.
 * @property {string} [managementUrl] With credentials; API under `/api`.
 * @property {string} [prometheusUrl] The `/metrics` page.
 * @property {'installed' | 'docker'} source
 * @property {number} [pid] Of the running broker, for SIGSTOP and the like; undefined while halted and in a container.
 * @property {string} [folder] Its temporary folder (data, logs); undefined in a container.
 * @property {() => Promise<void>} kill Ends it at once as a crash does; data and ports are kept for `start`.
 * @property {() => Promise<void>} start Starts it again after `kill` or `stop({ keepData: true })`, on the same ports and data.
 * @property {(args: string[]) => Promise<string>} ctl Runs `rabbitmqctl` on it; resolves to what it prints.
 * @property {(options?: { keepData?: boolean }) => Promise<void>} stop Ends it and removes everything; with `keepData`
 *   shuts it down in good order and keeps data and ports for `start`. Calling it twice is safe.
 */

/**
 * Starts a private broker: the one installed on this machine, else a container where a Docker daemon answers.
 * Env JOBRAIL_BROKER narrows the choice to `installed`, `docker` or `none`.
 *
 * @param {RabbitmqOptions} options
 * @returns {Promise<Rabbitmq>} Resolves when it answers on all its ports.
 * @throws {Unavailable} when neither can be had; any other error is a broker that was found and did not start.
 */
export async function startRabbitmq(options = {}) {
  const choice = process.env.JOBRAIL_BROKER ?? 'any';
  if (!['any', 'installed', 'docker', 'none'].includes(choice)) {
    throw new Error(`JOBRAIL_BROKER is "${choice}"; expected installed, docker or none.`);
  }
  const tried = [];
  if (choice === 'any' || choice === 'installed') {
    const server = options.server ?? process.env.JOBRAIL_RABBITMQ_SERVER ?? (await findRabbitmqServer());
    if (server) return startInstalledRabbitmq(server, options);
    tried.push('no rabbitmq-server on PATH');
  }
  if (choice === 'any' || choice === 'docker') {
    try {
      return await startContainerRabbitmq(options);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      tried.push(error.message);
    }
  }
  if (choice !== 'any') tried.push(`JOBRAIL_BROKER=${choice}`);
  throw new Unavailable(
    `No RabbitMQ: ${tried.join('; ')}.`,
    'Set AMQP_URL, install rabbitmq-server (apt-get install rabbitmq-server), or start Docker.',
  );
}

/**
 * The broker to use: AMQP_URL when it is set (then `stop` does nothing), else a private one.
 *
 * @param {RabbitmqOptions} options
 * @returns {Promise<{ url: string, source: 'AMQP_URL' | Rabbitmq['source'], stop: () => Promise<void> }>}
 * @throws {Unavailable} when none can be had.
 */
export async function obtainRabbitmq(options = {}) {
  const url = process.env.AMQP_URL;
  if (url) return { url, source: 'AMQP_URL', stop: async () => undefined };
  return startRabbitmq(options);
}
