import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { workspaceFolders } from './workspaces.mjs';

/**
 * @typedef {object} TestFile
 * @property {string} workspace Folder of its package: `services/email`.
 * @property {string} source As written: `services/email/test/flow/send.test.ts`.
 * @property {string} file As run: the compiled file, the same for a plain JavaScript test.
 * @property {boolean} unit In `test/unit`: needs neither network nor server.
 * @property {boolean} needsRabbitmq It, or a file of the same `test` folder that it imports, names AMQP_URL or isolatedRail.
 * @property {boolean} needsPostgres In the same way: DATABASE_URL.
 */

/**
 * All test files, found by their sources: a compiled file whose source is gone must not run.
 *
 * @param {string} root
 * @returns {Promise<TestFile[]>} By workspace, as the root's package.json lists them, the scripts last.
 */
export async function findTestFiles(root) {
  const folders = [...workspaceFolders(root), 'scripts'];
  const files = await Promise.all(folders.map((workspace) => testFilesOf(root, workspace)));
  return files.flat();
}

/**
 * The files that a filter of the command line means: a workspace (`framework`, `services/email`, `email`,
 * `@jobrail/email`), or part of a path (`test/flow`, `framework/test/flow/retry.test.ts`).
 *
 * @param {TestFile[]} files
 * @param {string[]} filters None: all files.
 * @returns {TestFile[]}
 * @throws {RangeError} when a filter matches nothing.
 */
export function selectTestFiles(files, filters) {
  if (filters.length === 0) return files;
  const matches = filters.map((filter) => {
    const wanted = filter.replace(/^\.\//, '').replace(/\/$/, '');
    const ofWorkspace = files.filter(({ workspace }) => namesOf(workspace).includes(wanted));
    const found = ofWorkspace.length ? ofWorkspace : files.filter(({ source }) => source.includes(wanted));
    if (found.length) return found;
    const workspaces = [...new Set(files.map(({ workspace }) => workspace))].join(', ');
    throw new RangeError(
      `"${filter}" matches no test file; expected part of a path or one of: ${workspaces}.`,
    );
  });
  const selected = new Set(matches.flat());
  return files.filter((file) => selected.has(file));
}

/** @param {string} workspace */
function namesOf(workspace) {
  const name = basename(workspace);
  return [workspace, name, workspace === 'framework' ? 'jobrail' : `@jobrail/${name}`];
}

/**
 * @param {string} root
 * @param {string} workspace
 * @returns {Promise<TestFile[]>}
 */
async function testFilesOf(root, workspace) {
  const paths = await readdir(join(root, workspace, 'test'), { recursive: true }).catch(() => []);
  const sources = paths.filter((path) => /\.test\.(ts|tsx|mjs)$/.test(path)).sort();
  return Promise.all(
    sources.map(async (path) => {
      const source = `${workspace}/test/${path}`;
      const compiled = `${workspace}/dist/test/${path.replace(/\.tsx?$/, '.js')}`;
      const unit = path.startsWith('unit/');
      const text = await textWithImports(join(root, source), join(root, workspace, 'test'));
      return {
        workspace,
        source,
        file: path.endsWith('.mjs') ? source : compiled,
        unit,
        needsRabbitmq: !unit && /\b(AMQP_URL|isolatedRail)\b/.test(text),
        needsPostgres: !unit && /\bDATABASE_URL\b/.test(text),
      };
    }),
  );
}

/**
 * The text of a file and of those of the test folder that it imports, directly or not.
 *
 * @param {string} path
 * @param {string} testFolder
 * @param {Set<string>} seen
 * @returns {Promise<string>}
 */
async function textWithImports(path, testFolder, seen = new Set()) {
  if (seen.has(path)) return '';
  seen.add(path);
  const text = await readFile(path, 'utf8');
  const imported = [...text.matchAll(/\b(?:from|import) '(\.[^']+)'/g)]
    .map(([, specifier = '']) => resolve(dirname(path), specifier).replace(/\.js$/, '.ts'))
    .filter((file) => file.startsWith(testFolder + sep) && existsSync(file));
  const texts = [text];
  for (const file of imported) texts.push(await textWithImports(file, testFolder, seen));
  return texts.join('\n');
}
