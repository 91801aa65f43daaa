import { parseArgs } from 'node:util';

export const USAGE = `npm run demo                    runs until Ctrl-C, with a live table
npm run demo -- --once          runs the story once, checks the results itself, exit code 0 when all are right
npm run demo -- --port 3000     the api on a port of your choice; default: a free one
npm run demo -- --help

AMQP_URL=amqp://…               the broker to use. Default: a private rabbitmq-server, if one is installed, else
                                Docker, else all services in one process on a broker in memory
NO_COLOR=1                      no colours`;

/**
 * @typedef {object} DemoOptions
 * @property {boolean} once
 * @property {boolean} help
 * @property {number} port Of the api; 0 is a free one.
 */

/**
 * @param {string[]} args
 * @returns {DemoOptions}
 * @throws {Error} that names the argument.
 */
export function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      once: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      port: { type: 'string', default: '0' },
    },
  });
  const port = /^\d{1,5}$/.test(values.port) ? Number(values.port) : NaN;
  if (!(port <= 65_535)) throw new Error(`--port is "${values.port}"; expected a number from 0 to 65535.`);
  return { once: values.once, help: values.help, port };
}
