import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ROOT } from '../bring-up.mjs';

/** A small repository in a temporary folder, to run the scripts on. */
export class TemporaryRepository {
  root;

  /** @param {Record<string, string>} files Path to content; JSON for package.json files. */
  static async create(files) {
    const repository = new TemporaryRepository(await mkdtemp(join(tmpdir(), 'jobrail-repository-')));
    await repository.write(files);
    return repository;
  }

  /** @param {string} root */
  constructor(root) {
    this.root = root;
  }

  /** @param {Record<string, string>} files */
  async write(files) {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(this.root, path)), { recursive: true });
      await writeFile(join(this.root, path), content);
    }
  }

  /** Puts the scripts in, and the packages that are installed here: `npm test` then finds nothing to install. */
  async addScripts() {
    const own = (/** @type {string} */ path) => !path.startsWith(join(ROOT, 'scripts/dist'));
    await cp(join(ROOT, 'scripts'), join(this.root, 'scripts'), { recursive: true, filter: own });
    await rm(join(this.root, 'scripts/test'), { recursive: true, force: true });
    await cp(join(ROOT, 'node_modules/.package-lock.json'), join(this.root, 'package-lock.json'));
    await symlink(join(ROOT, 'node_modules'), join(this.root, 'node_modules'));
  }

  /**
   * Starts a script of the repository. What this process inherited about servers and CI is not passed on.
   *
   * @param {string[]} args
   * @param {NodeJS.ProcessEnv} env
   */
  start(args, env = {}) {
    const {
      CI: _ci,
      AMQP_URL: _amqp,
      DATABASE_URL: _database,
      NODE_V8_COVERAGE: _coverage,
      ...inherited
    } = process.env;
    return spawn(process.execPath, args, {
      cwd: this.root,
      env: { ...inherited, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /**
   * @param {string[]} args
   * @param {NodeJS.ProcessEnv} env
   * @returns {Promise<{ code: number | null, lines: string[], errors: string }>} `lines`: those of stdout.
   */
  async run(args, env) {
    const child = this.start(args, env);
    const ended = new Promise((/** @type {(code: number | null) => void} */ resolve) =>
      child.once('close', resolve),
    );
    const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    return { code, errors, lines: output.trimEnd().split('\n') };
  }

  async remove() {
    await rm(this.root, { recursive: true, force: true });
  }
}
