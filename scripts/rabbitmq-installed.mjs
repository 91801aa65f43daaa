import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { answersAmqp, answersHttp, untilAnswers } from './answers.mjs';
import { freePorts } from './free-ports.mjs';
import { OwnedProcess } from './owned-process.mjs';
import { findPrograms, findVersions } from './search-path.mjs';
import { guardFolder, releaseFolder } from './watchdog.mjs';
/** @import { Rabbitmq, RabbitmqOptions } from './rabbitmq.mjs' */
/** @import { ClusterMember } from './rabbitmq-cluster.mjs' */

const BOOT_MS = 90_000;
const run = promisify(execFile);

/**
 * The script that runs RabbitMQ as any user. Debian's `/usr/sbin/rabbitmq-server` does not: it is a wrapper that
 * insists on the user `rabbitmq` and on the machine's one data folder; the real one has `rabbitmq-env` beside it.
 *
 * @returns {Promise<string | undefined>}
 */
export async function findRabbitmqServer() {
  for (const found of await findPrograms('rabbitmq-server')) {
    const server = await realpath(found);
    const real = basename(server) === 'rabbitmq-server' && existsSync(join(dirname(server), 'rabbitmq-env'));
    if (real) return server;
  }
  const [debian] = await findVersions('/usr/lib/rabbitmq/lib', 'rabbitmq_server-', '/sbin/rabbitmq-server');
  return debian;
}

/**
 * Runs the given server as a private node. See rabbitmq.mjs for what is promised.
 *
 * @param {string} server
 * @param {RabbitmqOptions} options
 * @param {ClusterMember} [member] Default: a node alone.
 * @returns {Promise<Rabbitmq>}
 */
export async function startInstalledRabbitmq(server, options, member) {
  const folder = await mkdtemp(join(tmpdir(), 'jobrail-rabbitmq-'));
  guardFolder(folder);
  const node = new InstalledNode(server, folder, { management: options.management ?? false, member });
  try {
    await node.prepare(options.config ?? [], options.advanced);
    await node.start();
  } catch (error) {
    await node.stop();
    throw error;
  }
  return node;
}

/** @implements {Rabbitmq} */
class InstalledNode {
  source = /** @type {const} */ ('installed');
  url = '';
  name;
  /** @type {string | undefined} */ managementUrl;
  /** @type {string | undefined} */ prometheusUrl;
  /** @type {number | undefined} */ pid;
  folder;

  #server;
  #management;
  #member;
  /** @type {NodeJS.ProcessEnv} */ #env = {};
  /** @type {OwnedProcess | undefined} */ #epmd;
  /** @type {OwnedProcess | undefined} */ #broker;
  #port = 0;

  /**
   * @param {string} server
   * @param {string} folder
   * @param {{ management: boolean, member?: ClusterMember }} options
   */
  constructor(server, folder, { management, member }) {
    this.#server = server;
    this.folder = folder;
    this.#management = management;
    this.#member = member;
    this.name = member?.name ?? `${basename(folder).toLowerCase()}@localhost`;
  }

  /**
   * Chooses ports and writes the configuration.
   *
   * @param {string[]} moreConfig
   * @param {string | undefined} advanced
   */
  async prepare(moreConfig, advanced) {
    const [amqp = 0, distribution, ownEpmd, management, prometheus] = await freePorts(5);
    this.#port = amqp;
    this.url = `amqp://guest:guest@127.0.0.1:${amqp}`;
    const config = [`listeners.tcp.1 = 127.0.0.1:${amqp}`];
    const plugins = [];
    if (this.#management) {
      this.managementUrl = `http://guest:guest@127.0.0.1:${management}`;
      this.prometheusUrl = `http://127.0.0.1:${prometheus}/metrics`;
      plugins.push('rabbitmq_management', 'rabbitmq_prometheus');
      config.push('management.tcp.ip = 127.0.0.1', `management.tcp.port = ${management}`);
      config.push('prometheus.tcp.ip = 127.0.0.1', `prometheus.tcp.port = ${prometheus}`);
    }
    const path = (/** @type {string} */ name) => join(this.folder, name);
    await writeFile(path('rabbitmq.conf'), [...config, ...moreConfig, ''].join('\n'));
    if (advanced) await writeFile(path('advanced.config'), `${advanced}\n`);
    await writeFile(path('enabled_plugins'), `[${plugins.join(',')}].\n`);
    await mkdir(path('log'));
    const { cookie, epmd = ownEpmd } = this.#member ?? {};
    if (cookie) await writeFile(path('.erlang.cookie'), cookie, { mode: 0o400 });
    this.#env = {
      ...withoutErlangSettings(process.env),
      PATH: [erlangOf(this.#server), process.env.PATH].filter(Boolean).join(delimiter),
      HOME: this.folder,
      ERL_EPMD_ADDRESS: '127.0.0.1',
      ERL_EPMD_PORT: String(epmd),
      // Makes the script become the server, where it would otherwise stay as its parent; `-noinput` takes the shell away again.
      RABBITMQ_ALLOW_INPUT: 'true',
      RABBITMQ_NODENAME: this.name,
      RABBITMQ_DIST_PORT: String(distribution),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
      RABBITMQ_CONFIG_FILE: path('rabbitmq.conf'),
      RABBITMQ_ADVANCED_CONFIG_FILE: path('advanced.config'),
      RABBITMQ_CONF_ENV_FILE: '/dev/null',
      RABBITMQ_ENABLED_PLUGINS_FILE: path('enabled_plugins'),
      RABBITMQ_MNESIA_BASE: path('data'),
      RABBITMQ_LOG_BASE: path('log'),
    };
  }

  async start() {
    if (this.#broker?.running) return;
    const log = join(this.folder, 'log', 'boot.log');
    // Where another node of the cluster has one, a second one ends at once by itself.
    this.#epmd ??= await this.#startEpmd(log);
    const broker = await OwnedProcess.start(this.#server, ['-noinput'], {
      env: this.#env,
      cwd: this.folder,
      log,
    });
    this.#broker = broker;
    const wait = {
      what: `RabbitMQ (${this.#server}) at 127.0.0.1:${this.#port}`,
      withinMs: BOOT_MS,
      givenUp: () => (broker.running ? undefined : 'it ended while booting'),
    };
    try {
      await untilAnswers(() => answersAmqp(this.#port), wait);
      const { managementUrl } = this;
      if (managementUrl) await untilAnswers(() => answersHttp(`${managementUrl}/api/overview`), wait);
    } catch (error) {
      throw new Error(`${/** @type {Error} */ (error).message} Its output:\n${await lastWords(log)}`, {
        cause: error,
      });
    }
    this.pid = broker.pid;
  }

  async kill() {
    this.pid = undefined;
    await this.#broker?.end('SIGKILL');
  }

  /** @param {{ keepData?: boolean }} options */
  async stop({ keepData = false } = {}) {
    this.pid = undefined;
    await this.#broker?.end(keepData ? 'SIGTERM' : 'SIGKILL', 30_000);
    if (keepData) return;
    await this.#epmd?.end();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 10 });
    releaseFolder(this.folder);
  }

  /** @param {string[]} args */
  async ctl(args) {
    const program = join(dirname(this.#server), 'rabbitmqctl');
    const { stdout } = await run(program, args, { env: this.#env, cwd: this.folder });
    return stdout;
  }

  /**
   * Erlang starts its port mapper as a daemon of nobody's where none answers; one started here first can be ended.
   *
   * @param {string} log
   */
  async #startEpmd(log) {
    const program = await findEpmd(this.#env);
    if (!program) {
      await appendFile(log, 'No epmd found; Erlang starts its own.\n');
      return undefined;
    }
    return OwnedProcess.start(program, [], { env: this.#env, cwd: this.folder, log });
  }
}

/**
 * Debian has the Erlang of `/usr/lib/rabbitmq/lib/<version>/sbin/rabbitmq-server` in `/usr/lib/erlang`. A server that
 * is unpacked elsewhere needs the one unpacked with it, not the machine's.
 *
 * @param {string} server
 * @returns {string | undefined}
 */
function erlangOf(server) {
  const folder = resolve(dirname(server), '../../../../erlang/bin');
  return existsSync(join(folder, 'erl')) ? folder : undefined;
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<string | undefined>}
 */
async function findEpmd(env) {
  const [onPath] = await findPrograms('epmd', env);
  if (onPath) return onPath;
  for (const erl of await findPrograms('erl', env)) {
    const [beside] = await findVersions(dirname(dirname(await realpath(erl))), 'erts-', '/bin/epmd');
    if (beside) return beside;
  }
  return undefined;
}

/**
 * Settings of the machine's own node must not reach the private one.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv}
 */
function withoutErlangSettings(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(RABBITMQ|ERL|ERLANG)_/.test(name)));
}

/**
 * The reason stands before "BOOT FAILED"; after it come pages of Erlang's own reports.
 *
 * @param {string} log
 * @returns {Promise<string>}
 */
async function lastWords(log) {
  const lines = (await readFile(log, 'utf8')).trim().split('\n');
  const failed = lines.indexOf('BOOT FAILED');
  return (failed < 0 ? lines.slice(-30) : lines.slice(Math.max(0, failed - 30), failed)).join('\n');
}
