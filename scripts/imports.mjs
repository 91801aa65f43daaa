import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';

/**
 * @typedef {object} Import
 * @property {string} from The importing file, relative to the root.
 * @property {number} line Counted from 1.
 * @property {string} specifier As written: `../ports/broker.js`, `jobrail/testing`.
 * @property {string} [to] Where a relative specifier leads, relative to the root; the source file if there is one.
 */

/**
 * Every import, export-from, `import()` and `import('…')` type of the TypeScript files below a folder.
 *
 * @param {string} root
 * @param {string} folder Relative to the root; its dist and node_modules are left out.
 * @returns {Import[]}
 */
export function readImports(root, folder) {
  return sourceFiles(root, folder).flatMap((from) => {
    const text = readFileSync(join(root, from), 'utf8');
    return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName: specifier, pos }) => ({
      from,
      line: text.slice(0, pos).split('\n').length,
      specifier,
      to: specifier.startsWith('.') ? resolve(root, from, specifier) : undefined,
    }));
  });
}

/**
 * @param {string} root
 * @param {string} folder
 * @returns {string[]} Relative to the root, sorted.
 */
export function sourceFiles(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = posix.join(folder, entry.name);
      if (entry.isDirectory())
        return ['dist', 'node_modules'].includes(entry.name) ? [] : sourceFiles(root, path);
      return /\.[mc]?tsx?$/.test(entry.name) ? [path] : [];
    })
    .sort();
}

/**
 * @param {string} root
 * @param {string} from
 * @param {string} specifier
 * @returns {string}
 */
function resolve(root, from, specifier) {
  const written = posix.normalize(posix.join(posix.dirname(from), specifier));
  const stem = written.replace(/\.([mc]?)jsx?$/, '.$1ts');
  const candidates = [stem, stem.replace(/\.ts$/, '.tsx'), `${written}.ts`, `${written}/index.ts`];
  return candidates.find((path) => existsSync(join(root, path))) ?? written;
}
