import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Asks again and again until the answer is yes.
 *
 * @param {() => Promise<boolean>} ask
 * @param {object} options
 * @param {string} options.what For the error: "RabbitMQ on 127.0.0.1:21000".
 * @param {number} options.withinMs
 * @param {() => string | undefined} [options.givenUp] A reason not to ask any longer, such as a process that has ended.
 * @throws {Error} when given up or too late.
 */
export async function untilAnswers(ask, { what, withinMs, givenUp }) {
  const deadline = Date.now() + withinMs;
  while (!(await ask())) {
    const reason =
      givenUp?.() ?? (Date.now() > deadline ? `no answer within ${withinMs / 1000} s` : undefined);
    if (reason) throw new Error(`${what} did not start: ${reason}.`);
    await pause(50);
  }
}

/**
 * Whether an AMQP 0-9-1 broker answers the protocol header: more than an open port, which a container's proxy
 * has long before its broker.
 *
 * @param {number} port
 * @returns {Promise<boolean>}
 */
export function answersAmqp(port) {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write('AMQP\0\0\x09\x01', 'latin1'));
    const settle = (/** @type {boolean} */ answer) => {
      socket.destroy();
      resolve(answer);
    };
    const methodFrame = 1;
    socket.setTimeout(2_000, () => settle(false));
    socket.once('data', (data) => settle(data[0] === methodFrame));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
  });
}

/**
 * Whether an HTTP server answers this URL, which may hold credentials, with a good status.
 *
 * @param {string} url
 * @returns {Promise<boolean>}
 */
export async function answersHttp(url) {
  const target = new URL(url);
  const credentials = `${target.username}:${target.password}`;
  const headers = { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
  target.username = '';
  target.password = '';
  return fetch(target, { headers, signal: AbortSignal.timeout(2_000) }).then(
    (response) => response.ok,
    () => false,
  );
}
