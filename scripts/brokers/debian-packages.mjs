import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findPrograms, findVersions } from '../search-path.mjs';
import { Unavailable } from '../unavailable.mjs';
import { useOwnLibraries } from './own-libraries.mjs';

const run = promisify(execFile);
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** What a broker runs on. The rest of what the package asks for (adduser, systemd …) is for an installed service. */
const NEEDED = /^(rabbitmq-server|erlang-.+|lib.+|zlib1g)$/;

/**
 * The RabbitMQ of a Debian release, unpacked into a cache folder of this user: packages are downloaded by apt with
 * settings of its own and never installed, so neither root nor the same release is needed, and the system stays as
 * it is. About 60 MB are downloaded and 130 MB kept, once.
 *
 * @param {string} suite Debian's name of the release: `trixie`, `testing`.
 * @param {{ update?: boolean, note?: (line: string) => void }} options `update`: even if it is in the cache.
 * @returns {Promise<string>} Path of its `rabbitmq-server`.
 * @throws {Unavailable} when this machine cannot download or unpack Debian packages.
 */
export async function unpackedServer(suite, { update = false, note } = {}) {
  const folder = join(cacheFolder(), suite);
  if (update) await rm(folder, { recursive: true, force: true });
  const cached = await serverIn(folder);
  if (cached) return cached;
  note?.(`Downloading RabbitMQ of Debian ${suite} to ${folder} …`);
  await obtain(suite, folder);
  const server = await serverIn(folder);
  if (server) return server;
  throw new Unavailable(
    `The rabbitmq-server package of Debian ${suite} has no server where one is expected, in ${folder}.`,
    'Look where it has moved to, and adapt scripts/brokers/debian-packages.mjs.',
  );
}

function cacheFolder() {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'jobrail', 'brokers');
}

/** @param {string} folder */
async function serverIn(folder) {
  const [newest] = await findVersions(
    join(folder, 'usr/lib/rabbitmq/lib'),
    'rabbitmq_server-',
    '/sbin/rabbitmq-server',
  );
  return newest;
}

/**
 * @param {string} suite
 * @param {string} folder Made complete or not at all.
 */
async function obtain(suite, folder) {
  for (const program of ['apt-get', 'dpkg-deb']) {
    if ((await findPrograms(program)).length > 0) continue;
    throw new Unavailable(
      `No RabbitMQ of Debian ${suite}: there is no ${program} on this machine.`,
      'Run this on Debian, or in a Debian container.',
    );
  }
  const mirror = await debianMirror();
  await mkdir(cacheFolder(), { recursive: true });
  const work = await mkdtemp(join(cacheFolder(), `.${suite}-`));
  try {
    const root = join(work, 'root');
    for (const file of await download(suite, mirror, work)) await run('dpkg-deb', ['--extract', file, root]);
    await useOwnLibraries(root, folder);
    await rename(root, folder);
  } catch (error) {
    if (await serverIn(folder)) return; // another run was faster
    const { message, stderr } = /** @type {Error & { stderr?: string }} */ (error);
    throw new Unavailable(
      `No RabbitMQ of Debian ${suite}: ${stderr?.trim() || message}`,
      `Check that apt reaches ${mirror} and that this user may write to ${cacheFolder()}.`,
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * The mirror that this machine's apt is set to: the sources that call themselves Debian, or while their lists have
 * not been downloaded the first one at `…/debian/`.
 *
 * @returns {Promise<string>}
 */
async function debianMirror() {
  const { stdout } = await run('apt-get', ['indextargets', '--format', '$(LABEL) $(REPO_URI)']);
  const sources = stdout.split('\n').map((line) => line.split(' '));
  const found =
    sources.find(([label]) => label === 'Debian') ?? sources.find(([, uri]) => uri?.endsWith('/debian/'));
  if (found?.[1]) return found[1];
  throw new Unavailable(
    'No Debian mirror: none of the sources of apt on this machine is Debian.',
    'Add one to /etc/apt/sources.list.d, or run this in a Debian container.',
  );
}

/**
 * @param {string} suite
 * @param {string} mirror
 * @param {string} work
 * @returns {Promise<string[]>} The package files.
 */
async function download(suite, mirror, work) {
  const packages = join(work, 'packages');
  await mkdir(packages);
  const apt = await privateApt(suite, mirror, work);
  await apt(['update']);
  const { stdout } = await apt(['--simulate', '--no-install-recommends', 'install', 'rabbitmq-server']);
  const names = [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, name = '']) => name);
  await apt(['download', ...names.filter((name) => NEEDED.test(name))], packages);
  return (await readdir(packages)).map((file) => join(packages, file));
}

/**
 * apt-get with sources, lists, cache and a list of installed packages (none) of its own. What else this machine has
 * in its settings, such as a proxy, stays valid; its hooks do not.
 *
 * @param {string} suite
 * @param {string} mirror
 * @param {string} work
 * @returns {Promise<(args: string[], cwd?: string) => Promise<{ stdout: string }>>}
 */
async function privateApt(suite, mirror, work) {
  const path = (/** @type {string} */ name) => join(work, name);
  await mkdir(path('state/lists/partial'), { recursive: true });
  await mkdir(path('cache/archives/partial'), { recursive: true });
  const signedBy = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : '';
  await writeFile(path('sources.list'), `deb ${signedBy}${mirror} ${suite} main\n`);
  await writeFile(path('state/status'), '');
  const settings = {
    'Dir::State': path('state'),
    'Dir::State::status': path('state/status'),
    'Dir::Cache': path('cache'),
    'Dir::Etc::sourcelist': path('sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'APT::Sandbox::User': '',
    'Acquire::Languages': 'none',
    'Debug::NoLocking': 'true',
  };
  const hooks = ['APT::Update::Pre-Invoke', 'APT::Update::Post-Invoke', 'APT::Update::Post-Invoke-Success'];
  await writeFile(
    path('apt.conf'),
    [
      ...hooks.map((name) => `#clear ${name};`),
      ...Object.entries(settings).map(([name, value]) => `${name} "${value}";`),
      '',
    ].join('\n'),
  );
  return (args, cwd = work) => run('apt-get', ['--config-file', path('apt.conf'), '-qq', ...args], { cwd });
}
