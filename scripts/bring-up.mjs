/**
 * Makes a fresh clone ready to run: dependencies, then the build. Uses nothing that is not part of Node, since it
 * runs before anything is installed. Silent when there is nothing to do and when all goes well.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The top folder of the repository. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * @typedef {object} BringUpOptions
 * @property {string} [root] Default: this repository.
 * @property {string[]} [projects] Folders of the TypeScript projects to build, with what they refer to. Default: all.
 * @property {(line: string) => void} [note] Told before a step that takes long. Default: not told.
 * @property {AbortSignal} [signal] Ends the step that is running.
 */

/**
 * Installs if needed, then builds what has changed.
 *
 * @param {BringUpOptions} options
 * @throws {StepFailed} with the whole output of the step that failed.
 */
export async function bringUp(options = {}) {
  await install(options);
  await build(options);
}

/**
 * `npm ci`, unless what is installed is what the lock file says.
 *
 * @param {BringUpOptions} options
 * @returns {Promise<boolean>} Whether it installed.
 * @throws {StepFailed}
 */
export async function install({ root = ROOT, note, signal } = {}) {
  if (await isInstalled(root)) return false;
  note?.('Installing dependencies (npm ci) …');
  await step('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root, signal });
  return true;
}

/**
 * `tsc -b`: builds only what has changed.
 *
 * @param {BringUpOptions} options
 * @throws {StepFailed}
 */
export async function build({ root = ROOT, projects = ['.', 'scripts'], signal } = {}) {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const compiled = projects.filter((project) => existsSync(join(root, project, 'tsconfig.json')));
  if (compiled.length) await step(process.execPath, [compiler, '-b', ...compiled], { cwd: root, signal });
}

/** A command that failed; the message holds the command and all it printed. */
export class StepFailed extends Error {
  code = 'STEP_FAILED';

  /**
   * @param {string} command
   * @param {string} ended
   * @param {string} output
   */
  constructor(command, ended, output) {
    super(`${command} ${ended}\n${output.trimEnd()}`);
    this.name = 'StepFailed';
  }
}

/**
 * Runs a command and keeps its output to itself unless it fails.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, signal?: AbortSignal }} options `cwd`: default this repository.
 * @returns {Promise<void>}
 * @throws {StepFailed}
 */
export function step(program, args, { cwd = ROOT, signal } = {}) {
  const command = [program, ...args].join(' ');
  return new Promise((resolve, reject) => {
    /** @type {Buffer[]} */
    const output = [];
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], signal });
    child.stdout.on('data', (/** @type {Buffer} */ chunk) => output.push(chunk));
    child.stderr.on('data', (/** @type {Buffer} */ chunk) => output.push(chunk));
    child.once('error', (error) =>
      reject(new StepFailed(command, `could not be started: ${error.message}`, '')),
    );
    child.once('close', (code, endSignal) => {
      if (code === 0) resolve();
      else
        reject(new StepFailed(command, `ended with ${endSignal ?? code}`, Buffer.concat(output).toString()));
    });
  });
}

/**
 * Compares npm's own record of what it installed with the lock file by content: file times lie after a checkout,
 * and npm itself writes the two files in either order.
 *
 * @param {string} root
 * @returns {Promise<boolean>}
 */
async function isInstalled(root) {
  const wanted = await packagesIn(join(root, 'package-lock.json'));
  const present = await packagesIn(join(root, 'node_modules/.package-lock.json'));
  if (!wanted) throw new Error(`There is no package-lock.json in ${root}. Run npm install once.`);
  if (!present) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    const found = present[path];
    // A folder outside node_modules is a workspace; optional packages that are missing are those of other platforms.
    if (!path.includes('node_modules/') || (!found && entry.optional)) return true;
    return found !== undefined && found.version === entry.version && found.link === entry.link;
  });
}

/**
 * @typedef {object} LockFile
 * @property {Record<string, { version?: string, link?: boolean, optional?: boolean }>} packages
 */

/**
 * @param {string} file
 * @returns {Promise<LockFile['packages'] | undefined>} Undefined when there is no such file.
 */
async function packagesIn(file) {
  if (!existsSync(file)) return undefined;
  const lock = /** @type {LockFile} */ (JSON.parse(await readFile(file, 'utf8')));
  return lock.packages;
}
