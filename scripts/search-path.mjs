import { constants } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** Where servers are installed that a user's PATH often leaves out. */
const SERVER_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/opt/homebrew/sbin'];

/**
 * Every executable of this name, in order of PATH and then of the folders for servers.
 *
 * @param {string} program
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<string[]>}
 */
export async function findPrograms(program, env = process.env) {
  const folders = [...(env.PATH ?? '').split(delimiter).filter(Boolean), ...SERVER_FOLDERS];
  const paths = [...new Set(folders)].map((folder) => join(folder, program));
  const found = await Promise.all(paths.map(isExecutable));
  return paths.filter((_path, index) => found[index]);
}

/**
 * Executables at `<folder>/<entry><rest>` for every entry with the prefix, newest version first:
 * `findVersions('/usr/lib/postgresql', '', '/bin/postgres')`.
 *
 * @param {string} folder
 * @param {string} prefix
 * @param {string} rest
 * @returns {Promise<string[]>}
 */
export async function findVersions(folder, prefix, rest) {
  const entries = await readdir(folder).catch(() => []);
  const paths = entries
    .filter((entry) => entry.startsWith(prefix))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .map((entry) => join(folder, entry) + rest);
  const found = await Promise.all(paths.map(isExecutable));
  return paths.filter((_path, index) => found[index]);
}

/**
 * @param {string} path
 * @returns {Promise<boolean>}
 */
async function isExecutable(path) {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
