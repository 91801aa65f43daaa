import { join } from 'node:path';
import { Changes } from './changes.mjs';
import { readLogLine } from './log-line.mjs';
import { ServiceProcess } from './service-process.mjs';
import { SERVICES } from './service-settings.mjs';
/** @import { ServiceSettings } from './service-settings.mjs' */

/** A service that does not say that it is ready within this time does not start at all. */
const START_MS = 60_000;

/**
 * @typedef {object} Services
 * @property {number} port Of the api.
 * @property {() => Promise<void>} close Ends them all, in good order.
 */

/**
 * Starts each service as a process of its own and waits until all are ready.
 *
 * @param {object} options
 * @param {ServiceSettings} options.settings
 * @param {string} options.logFolder
 * @param {(line: string) => void} options.onLine Told each line of their logs.
 * @param {(error: unknown) => void} options.onEnded Told when one ends unasked.
 * @param {AbortSignal} options.signal
 * @returns {Promise<Services>}
 */
export async function startProcesses({ settings, logFolder, onLine, onEnded, signal }) {
  const starting = new Starting();
  const services = SERVICES.map((name) => {
    const listen = (/** @type {string} */ line) => {
      starting.line(name, line);
      onLine(line);
    };
    const logFile = join(logFolder, `${name}.log`);
    const service = new ServiceProcess({ name, env: settings[name], logFile, onLine: listen });
    service.ended.catch(onEnded);
    return service;
  });
  const close = async () => {
    await Promise.all(services.map((service) => service.stop()));
  };
  try {
    return { port: await starting.apiPort(signal), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Learns from their logs when the services are ready. */
class Starting {
  #waiting = new Set(/** @type {readonly string[]} */ (SERVICES));
  #port = 0;
  #changes = new Changes();

  /** @param {string} name @param {string} line */
  line(name, line) {
    const entry = this.#waiting.has(name) ? readLogLine(line) : undefined;
    if (name === 'api' && entry?.msg === 'listening') this.#port = entry.port ?? 0;
    else if (entry?.msg !== `service ${name} is ready`) return;
    this.#waiting.delete(name);
    this.#changes.tell();
  }

  /** Once all are ready. @param {AbortSignal} signal @returns {Promise<number>} */
  async apiPort(signal) {
    const what = `The start of ${SERVICES.join(', ')}`;
    await this.#changes.until(() => this.#waiting.size === 0, { what, withinMs: START_MS, signal });
    return this.#port;
  }
}
