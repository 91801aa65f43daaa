/**
 * The architecture, checked on the imports as they are written (type imports too):
 *
 * 1. `framework/src` has floors. A file imports from floors below its own, or from its own unit: its folder, and on
 *    floor 3 its one adapter or filter. `cli/` may also use the files at the top.
 * 2. No import cycles within a package.
 * 3. A package reaches another by its name and the exports in its package.json, never by a path, and names what it
 *    imports among its dependencies.
 *
 * `node scripts/floors.mjs` prints every violation and ends with 1 if there is one; part of `npm run check`.
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findCycles } from './import-cycles.mjs';
import { readImports, sourceFiles } from './imports.mjs';
import { borderFault, readWorkspaces } from './package-borders.mjs';
/** @import { Import } from './imports.mjs' */

const SRC = 'framework/src/';
/** `apart`: each entry of the folder is a unit of its own. The folder '' is the files at the top. */
const FLOORS = [
  { floor: 0, folder: 'base' },
  { floor: 1, folder: 'model' },
  { floor: 2, folder: 'ports' },
  { floor: 3, folder: 'adapters', apart: true },
  { floor: 3, folder: 'filters', apart: true },
  { floor: 4, folder: 'runtime' },
  { floor: 5, folder: '' },
  { floor: 5, folder: 'cli' },
];

/**
 * @param {string} root Top folder of a repository.
 * @returns {string[]} A message for each violation; none when all is well.
 */
export function findViolations(root) {
  const workspaces = readWorkspaces(root);
  const homeless = sourceFiles(root, 'framework/src').filter((file) => !placeOf(file));
  const folders = FLOORS.map(({ folder }) => folder && `${folder}/`).filter(Boolean);
  return [
    ...homeless.map(
      (file) => `${file} is on no floor; expected one of ${folders.join(' ')} or the top of ${SRC}`,
    ),
    ...workspaces.flatMap((own) => {
      const imports = readImports(root, own.folder);
      const fromSource = imports.filter(({ from }) => from.startsWith(`${own.folder}/src/`));
      return [
        ...imports.flatMap((one) =>
          [floorFault(one), borderFault(one, own, workspaces)].flatMap(message(one)),
        ),
        ...findCycles(fromSource).map((cycle) => `import cycle: ${cycle.join('\n  → ')}`),
      ];
    }),
  ];
}

/**
 * @param {Import} one
 * @returns {string | undefined}
 */
function floorFault({ from, to }) {
  const own = placeOf(from);
  const other = to === undefined ? undefined : placeOf(to);
  if (!own || !other || other.floor < own.floor || other.unit === own.unit) return undefined;
  if (own.floor < other.floor) {
    return `floor ${own.floor} (${own.unit}) imports floor ${other.floor} (${other.unit}); expected a floor below its own`;
  }
  if (own.unit === 'cli' && other.unit === 'top') return undefined;
  return `${own.unit} imports ${other.unit}, both on floor ${own.floor}; what both need belongs on a floor below`;
}

/**
 * @param {string} file
 * @returns {{ floor: number, unit: string } | undefined} Undefined: not in framework/src, or in a folder without a floor.
 */
function placeOf(file) {
  if (!file.startsWith(SRC)) return undefined;
  const parts = file.slice(SRC.length).split('/');
  const folder = parts.length > 1 ? parts[0] : '';
  const place = FLOORS.find((candidate) => candidate.folder === folder);
  if (!place) return undefined;
  const unit = place.apart ? `${folder}/${parts[1]?.replace(/\..*$/, '')}` : folder || 'top';
  return { floor: place.floor, unit };
}

/** @param {Import} one */
function message({ from, line, specifier }) {
  return (/** @type {string | undefined} */ fault) =>
    fault ? [`${from}:${line} imports '${specifier}': ${fault}`] : [];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const violations = findViolations(
    resolve(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url))),
  );
  for (const violation of violations) console.error(violation);
  process.exitCode = violations.length ? 1 : 0;
}
