import { JobClient } from 'jobrail';
import { isolatedRail, MemoryBroker } from 'jobrail/testing';
import { BuildReport } from '@jobrail/reports/jobs';
import { ResizeImage } from '@jobrail/media/jobs';
import { SendEmail } from '@jobrail/email/jobs';
import { obtainRabbitmq } from '../rabbitmq.mjs';
import { Unavailable } from '../unavailable.mjs';

/** The contracts of all services. */
export const CONTRACTS = [SendEmail, ResizeImage, BuildReport];

/**
 * @typedef {object} Rail The broker, and a corner of it that only this run of the demo uses.
 * @property {string} [url] Undefined where the broker is in the memory of this process.
 * @property {string} prefix
 * @property {JobClient} client
 * @property {LookAtQueues} broker
 * @property {() => MemoryBroker} [connect] Where it is in memory: another connection to it.
 * @property {string} words What it is, for people.
 * @property {string} [mend] What would make it a RabbitMQ.
 * @property {() => Promise<void>} close Leaves nothing on it.
 */

/**
 * @typedef {object} LookAtQueues
 * @property {(queue: string) => Promise<{ messages: number } | undefined>} depth
 * @property {(queue: string) => Promise<import('./dead-letters.mjs').Pulled | undefined>} get
 */

/**
 * The broker of AMQP_URL, else a private RabbitMQ, else one in memory.
 *
 * @param {(line: string) => void} note
 * @returns {Promise<Rail>}
 */
export async function openRail(note) {
  try {
    return await openRabbitmq(await obtainRabbitmq({ note }));
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    return openMemory(error);
  }
}

/** @param {Awaited<ReturnType<typeof obtainRabbitmq>>} server @returns {Promise<Rail>} */
async function openRabbitmq(server) {
  const { url, source } = server;
  const rail = await isolatedRail(url).catch(async (/** @type {unknown} */ error) => {
    await server.stop();
    throw error;
  });
  const { product, version } = rail.broker.info ?? { product: 'RabbitMQ', version: '' };
  const whose = {
    AMQP_URL: 'the one of AMQP_URL',
    installed: 'private to this run',
    docker: 'private, in Docker',
  };
  return {
    url,
    prefix: rail.prefix,
    client: rail.client,
    broker: rail.broker,
    words: `${product} ${version} (${whose[source]})`,
    async close() {
      if (source === 'AMQP_URL') await rail.cleanup(...CONTRACTS);
      else await Promise.all([rail.client.close(), rail.broker.close()]);
      await server.stop();
    },
  };
}

/** @param {Unavailable} why @returns {Rail} */
function openMemory(why) {
  const prefix = 'demo';
  const broker = new MemoryBroker();
  const connect = () => new MemoryBroker({ node: broker.node });
  const connection = connect();
  return {
    prefix,
    client: new JobClient({ broker: connection, prefix, name: 'demo' }),
    broker,
    connect,
    words: `in the memory of this process. ${why.message}`,
    mend: `To see it on RabbitMQ: ${why.mend}`,
    async close() {
      await connection.close();
      await broker.close();
    },
  };
}
