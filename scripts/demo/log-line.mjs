/**
 * @typedef {object} LogLine A line of a service's log: JSON, as pino writes it.
 * @property {string} msg
 * @property {number} level 30 info, 40 warn, 50 error.
 * @property {number} time Milliseconds since 1970.
 * @property {{ message?: string }} [err]
 * @property {number} [port] With "listening".
 *
 * And what a line about a job has, see framework/src/filters/log.ts:
 * @property {string} [job] Its id.
 * @property {string} [contract]
 * @property {string} [queue]
 * @property {number} [attempt]
 * @property {number} [priority]
 * @property {string} [outcome] Of the attempt; `started` when it begins.
 * @property {string} [reason]
 * @property {number} [waitedMs]
 * @property {number} [ranMs]
 * @property {number} [inMs] Until it can start again.
 * @property {number} [progress] 0 to 1.
 * @property {string} [note]
 */

/**
 * Undefined for what is no such line, such as a stack that a dying process prints.
 *
 * @param {string} line
 * @returns {LogLine | undefined}
 */
export function readLogLine(line) {
  if (!line.startsWith('{')) return undefined;
  try {
    /** @type {unknown} */
    const entry = JSON.parse(line);
    return /** @type {LogLine} */ (entry);
  } catch {
    return undefined;
  }
}
