import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { answersAmqp, answersHttp, untilAnswers } from './answers.mjs';
import { freePorts } from './free-ports.mjs';
import { Unavailable } from './unavailable.mjs';
import { guardByCommand, releaseCommand } from './watchdog.mjs';
/** @import { Rabbitmq, RabbitmqOptions } from './rabbitmq.mjs' */

const IMAGE = 'rabbitmq:4-management';
const BOOT_MS = 120_000;
const run = promisify(execFile);

/**
 * Runs a private broker in a container. See rabbitmq.mjs for what is promised.
 *
 * @param {RabbitmqOptions} options
 * @returns {Promise<Rabbitmq>}
 * @throws {Unavailable} when no Docker daemon answers or the image cannot be had.
 */
export async function startContainerRabbitmq({ config = [], note }) {
  await dockerAnswers();
  await imagePresent(note);
  const [amqp = 0, management = 0, prometheus = 0] = await freePorts(3);
  const container = new Container(amqp, management, prometheus);
  try {
    await container.create(config);
    await container.start();
  } catch (error) {
    await container.stop();
    throw error;
  }
  return container;
}

/** @implements {Rabbitmq} */
class Container {
  source = /** @type {const} */ ('docker');
  name = 'rabbit@jobrail';
  url;
  managementUrl;
  prometheusUrl;

  #name = `jobrail-rabbitmq-${randomUUID()}`;
  #remove = ['docker', 'rm', '--force', '--volumes', this.#name];
  #amqp;
  #publish;

  /**
   * @param {number} amqp
   * @param {number} management
   * @param {number} prometheus
   */
  constructor(amqp, management, prometheus) {
    this.#amqp = amqp;
    const ports = [`${amqp}:5672`, `${management}:15672`, `${prometheus}:15692`];
    this.#publish = ports.flatMap((pair) => ['--publish', `127.0.0.1:${pair}`]);
    this.url = `amqp://guest:guest@127.0.0.1:${amqp}`;
    this.managementUrl = `http://guest:guest@127.0.0.1:${management}`;
    this.prometheusUrl = `http://127.0.0.1:${prometheus}/metrics`;
  }

  /** @param {string[]} config */
  async create(config) {
    guardByCommand(this.#remove);
    // Its host name is part of the node's name, by which it finds its data again after a restart.
    const create = ['create', '--name', this.#name, '--hostname', 'jobrail', ...this.#publish];
    // The image's own entry point prepares the folder and drops root; the lines are appended before it runs.
    const write =
      'printf "%s\\n" "$@" >> /etc/rabbitmq/rabbitmq.conf && exec docker-entrypoint.sh rabbitmq-server';
    const program = config.length ? ['--entrypoint', 'sh', IMAGE, '-c', write, 'sh', ...config] : [IMAGE];
    await run('docker', [...create, ...program]);
  }

  async start() {
    await run('docker', ['start', this.#name]);
    let ended = false;
    const wait = {
      what: `RabbitMQ (${IMAGE}) at 127.0.0.1:${this.#amqp}`,
      withinMs: BOOT_MS,
      givenUp: () => (ended ? 'the container ended while booting' : undefined),
    };
    try {
      await untilAnswers(
        async () => (await answersAmqp(this.#amqp)) || ((ended = await this.#ended()), false),
        wait,
      );
      await untilAnswers(() => answersHttp(`${this.managementUrl}/api/overview`), wait);
    } catch (error) {
      const { stdout } = await run('docker', ['logs', '--tail', '30', this.#name]).catch(() => ({
        stdout: '',
      }));
      throw new Error(`${/** @type {Error} */ (error).message} Its output:\n${stdout}`, { cause: error });
    }
  }

  async kill() {
    if (!(await this.#ended())) await run('docker', ['kill', this.#name]);
  }

  /** @param {{ keepData?: boolean }} options */
  async stop({ keepData = false } = {}) {
    if (keepData) {
      await run('docker', ['stop', '--time', '30', this.#name]);
      return;
    }
    const [program = '', ...args] = this.#remove;
    await run(program, args);
    releaseCommand(this.#remove);
  }

  /** @param {string[]} args */
  async ctl(args) {
    const { stdout } = await run('docker', ['exec', this.#name, 'rabbitmqctl', ...args]);
    return stdout;
  }

  /** @returns {Promise<boolean>} */
  async #ended() {
    const inspected = await run('docker', ['inspect', '--format', '{{.State.Running}}', this.#name]).catch(
      () => ({ stdout: 'false' }),
    );
    return inspected.stdout.trim() !== 'true';
  }
}

async function dockerAnswers() {
  await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 5_000 }).catch(() => {
    throw new Unavailable('no Docker daemon answers', 'Start Docker, or install rabbitmq-server.');
  });
}

/** @param {((line: string) => void) | undefined} note */
async function imagePresent(note) {
  const present = await run('docker', ['image', 'inspect', IMAGE]).then(
    () => true,
    () => false,
  );
  if (present) return;
  note?.(`Pulling ${IMAGE} …`);
  await run('docker', ['pull', '--quiet', IMAGE]).catch((/** @type {unknown} */ error) => {
    const { message } = /** @type {Error} */ (error);
    throw new Unavailable(`Docker cannot pull ${IMAGE} (${message.trim()})`, `docker pull ${IMAGE}`);
  });
}
