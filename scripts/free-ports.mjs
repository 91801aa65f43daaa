import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below every system's ephemeral range (Linux starts at 32768): no outgoing connection takes such a port
 * while the server that owns it is down, so a server can be killed and started again on the same one.
 */
const LOWEST = 20_000;
const HIGHEST = 32_000;

/**
 * Ports of the loopback interface that nothing listens on right now, all different. They are not reserved:
 * bind them soon.
 *
 * @param {number} count
 * @returns {Promise<number[]>}
 */
export async function freePorts(count) {
  /** @type {Set<number>} */
  const ports = new Set();
  while (ports.size < count) {
    const port = randomInt(LOWEST, HIGHEST);
    if (!ports.has(port) && (await canListen(port))) ports.add(port);
  }
  return [...ports];
}

/**
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function canListen(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port }, () => server.close(() => resolve(true)));
  });
}
