/**
 * A private PostgreSQL for tests: an own cluster in a temporary folder on a loopback port, without password and, unless it
 * is asked for, without fsync. It is gone when its owner is gone (see watchdog.mjs).
 */
import { execFile } from 'node:child_process';
import { chown, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { untilAnswers } from './answers.mjs';
import { freePorts } from './free-ports.mjs';
import { OwnedProcess } from './owned-process.mjs';
import { findPrograms, findVersions } from './search-path.mjs';
import { Unavailable } from './unavailable.mjs';
import { guardFolder, releaseFolder } from './watchdog.mjs';

const START_MS = 60_000;

/**
 * @typedef {object} Postgres
 * @property {string} url `postgres://postgres@127.0.0.1:<port>/postgres`; the same after a restart.
 * @property {'installed'} source
 * @property {number} [pid] Of the running server; undefined while halted.
 * @property {string} folder Its temporary folder (data, log).
 * @property {() => Promise<void>} kill Ends it at once as a crash does; data and port are kept for `start`.
 * @property {() => Promise<void>} start Starts it again after `kill`, on the same port and data.
 * @property {() => Promise<void>} stop Ends it and removes everything. Calling it twice is safe.
 */

/**
 * Starts a private PostgreSQL. Env JOBRAIL_POSTGRES=none pretends that none is installed.
 *
 * @param {{ durable?: boolean }} [options] `durable`: what is committed waits for the disk, as in production.
 * @returns {Promise<Postgres>} Resolves when it accepts sessions.
 * @throws {Unavailable} when PostgreSQL is not installed; any other error is one that was found and did not start.
 */
export async function startPostgres({ durable = false } = {}) {
  const bin = process.env.JOBRAIL_POSTGRES === 'none' ? undefined : await findPostgresFolder();
  if (!bin) {
    throw new Unavailable(
      'No PostgreSQL: neither DATABASE_URL is set nor is PostgreSQL installed.',
      'Set DATABASE_URL, or install it (apt-get install postgresql).',
    );
  }
  const folder = await mkdtemp(join(tmpdir(), 'jobrail-postgres-'));
  guardFolder(folder);
  const [port = 0] = await freePorts(1);
  const cluster = new Cluster(bin, folder, port, { ...(await serverUser()), durable });
  try {
    await cluster.create();
    await cluster.start();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

/**
 * The database to use: DATABASE_URL when it is set (then `stop` does nothing), else a private one.
 *
 * @returns {Promise<{ url: string, source: 'DATABASE_URL' | Postgres['source'], stop: () => Promise<void> }>}
 * @throws {Unavailable} when none can be had.
 */
export async function obtainPostgres() {
  const url = process.env.DATABASE_URL;
  if (url) return { url, source: 'DATABASE_URL', stop: async () => undefined };
  return startPostgres();
}

/** @implements {Postgres} */
class Cluster {
  source = /** @type {const} */ ('installed');
  url;
  /** @type {number | undefined} */ pid;
  folder;

  #durable;
  #bin;
  #port;
  #user;
  /** @type {OwnedProcess | undefined} */ #server;

  /**
   * @param {string} bin
   * @param {string} folder
   * @param {number} port
   * @param {{ uid?: number, gid?: number, durable: boolean }} options
   */
  constructor(bin, folder, port, { durable, ...user }) {
    this.#durable = durable;
    this.#bin = bin;
    this.folder = folder;
    this.#port = port;
    this.#user = user;
    this.url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  }

  get #data() {
    return join(this.folder, 'data');
  }

  async create() {
    const { uid, gid } = this.#user;
    if (uid !== undefined && gid !== undefined) await chown(this.folder, uid, gid);
    const init = ['--auth=trust', '--username=postgres', '--encoding=UTF8', '--locale=C', '--no-sync'];
    await promisify(execFile)(join(this.#bin, 'initdb'), [...init, '--pgdata', this.#data], {
      cwd: this.folder,
      ...this.#user,
    });
  }

  async start() {
    if (this.#server?.running) return;
    const log = join(this.folder, 'server.log');
    // No unix socket: its path may be longer than the system allows where TMPDIR is a deep folder.
    const settings = [
      'listen_addresses=127.0.0.1',
      `port=${this.#port}`,
      'unix_socket_directories=',
      ...(this.#durable ? [] : ['fsync=off']),
    ];
    const args = ['-D', this.#data, ...settings.flatMap((setting) => ['-c', setting])];
    const server = await OwnedProcess.start(join(this.#bin, 'postgres'), args, {
      ...this.#user,
      cwd: this.folder,
      log,
      // An immediate shutdown: unlike SIGKILL it takes the sessions with it and frees the shared memory.
      lastSignal: 'SIGQUIT',
    });
    this.#server = server;
    try {
      await untilAnswers(() => acceptsSessions(this.#port), {
        what: `PostgreSQL (${this.#bin}) at 127.0.0.1:${this.#port}`,
        withinMs: START_MS,
        givenUp: () => (server.running ? undefined : 'it ended while starting'),
      });
    } catch (error) {
      const output = await readFile(log, 'utf8');
      throw new Error(`${/** @type {Error} */ (error).message} Its output:\n${output}`, { cause: error });
    }
    this.pid = server.pid;
  }

  async kill() {
    this.pid = undefined;
    await this.#server?.end('SIGQUIT');
  }

  async stop() {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 10 });
    releaseFolder(this.folder);
  }
}

/** @returns {Promise<string | undefined>} The folder with both `postgres` and `initdb`. */
async function findPostgresFolder() {
  const onPath = await Promise.all((await findPrograms('initdb')).map((path) => realpath(path)));
  const [debian] = await findVersions('/usr/lib/postgresql', '', '/bin/initdb');
  const initdb = onPath[0] ?? debian;
  return initdb && dirname(initdb);
}

/**
 * PostgreSQL refuses to run as root; then it runs as its own user, or as nobody.
 *
 * @returns {Promise<{ uid?: number, gid?: number }>}
 */
async function serverUser() {
  if (process.getuid?.() !== 0) return {};
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const user = ['postgres', 'nobody'].map((name) => users.find((fields) => fields[0] === name)).find(Boolean);
  if (!user) throw new Error('PostgreSQL cannot run as root, and there is no user postgres or nobody.');
  return { uid: Number(user[2]), gid: Number(user[3]) };
}

/**
 * Whether the server would let a session in: it answers the start-up message of user postgres with AuthenticationOk
 * ("R"), and while it is still starting up with an error ("E").
 *
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function acceptsSessions(port) {
  const body = Buffer.from('\0\x03\0\0user\0postgres\0database\0postgres\0\0', 'latin1');
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(Buffer.concat([length, body])));
    const settle = (/** @type {boolean} */ answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(2_000, () => settle(false));
    socket.once('data', (data) => settle(data[0] === 'R'.charCodeAt(0)));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
  });
}
