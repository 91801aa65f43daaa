import { untilAnswers } from '../answers.mjs';
/** @import { Rail } from './rail.mjs' */

/**
 * @typedef {object} Pulled A message taken from a queue, as far as it matters here.
 * @property {{ messageId?: string, type?: string, headers: Record<string, unknown> }} properties
 * @property {() => void} requeue
 */

/**
 * @typedef {object} DeadLetter
 * @property {string} id
 * @property {string} contract
 * @property {string} queue Where it lies.
 * @property {string} reason
 * @property {string} error
 * @property {number} attempts
 */

/** A service says that a job is dead, and then the broker keeps it: soon, but not at once. */
const WITHIN_MS = 15_000;

/**
 * Reads the dead letters of a queue from the broker once there is one, and leaves them there.
 *
 * @param {Rail} rail
 * @param {string} name Of the queue: `email`.
 * @returns {Promise<DeadLetter[]>}
 */
export async function readDeadLetters({ broker, prefix }, name) {
  const queue = `${prefix}.${name}.dead`;
  const isThere = async () => ((await broker.depth(queue))?.messages ?? 0) > 0;
  await untilAnswers(isThere, { what: `A dead letter in ${queue}`, withinMs: WITHIN_MS });
  /** @type {Pulled[]} */
  const pulled = [];
  for (let letter = await broker.get(queue); letter; letter = await broker.get(queue)) pulled.push(letter);
  for (const letter of pulled) letter.requeue();
  return pulled.map(({ properties: { messageId = '', type = '', headers } }) => {
    const text = (/** @type {string} */ name) => /** @type {string | undefined} */ (headers[name]);
    /** @type {unknown} */
    const attempts = JSON.parse(text('x-jobrail-attempts') ?? '[]');
    return {
      id: messageId,
      contract: type,
      queue,
      reason: text('x-jobrail-dead-reason') ?? 'unknown',
      error: text('x-jobrail-error-message') ?? '',
      attempts: /** @type {unknown[]} */ (attempts).length,
    };
  });
}
