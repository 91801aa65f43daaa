import { existsSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { workspaceFolders } from './workspaces.mjs';
/** @import { Import } from './imports.mjs' */

/**
 * @typedef {object} Workspace
 * @property {string} folder `services/email`
 * @property {string} name `@jobrail/email`
 * @property {Set<string>} exports The specifiers that other packages may use: `@jobrail/email/jobs`.
 * @property {Set<string>} atRuntime Names of packages that `src` may import.
 * @property {Set<string>} inTests Names of packages that everything else may import.
 */

/**
 * @param {string} root
 * @returns {Workspace[]}
 */
export function readWorkspaces(root) {
  const shared = Object.keys(readPackage(root)?.devDependencies ?? {});
  return workspaceFolders(root).flatMap((folder) => {
    const own = readPackage(join(root, folder));
    if (!own) return [];
    const { name = folder, dependencies, peerDependencies, optionalDependencies, devDependencies } = own;
    const atRuntime = Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies });
    return {
      folder,
      name,
      exports: new Set(Object.keys(own.exports ?? {}).map((path) => name + path.slice(1))),
      atRuntime: new Set(atRuntime),
      inTests: new Set([...atRuntime, ...Object.keys(devDependencies ?? {}), ...shared, name]),
    };
  });
}

/**
 * What is wrong with an import as a matter between packages.
 *
 * @param {Import} one
 * @param {Workspace} own The package of the importing file.
 * @param {Workspace[]} workspaces
 * @returns {string | undefined}
 */
export function borderFault(one, own, workspaces) {
  const fromSource = one.from.startsWith(`${own.folder}/src/`);
  return one.to === undefined
    ? packageFault(one.specifier, own, fromSource, workspaces)
    : pathFault(one.to, own, fromSource, workspaces);
}

/**
 * @param {string} to
 * @param {Workspace} own
 * @param {boolean} fromSource
 * @param {Workspace[]} workspaces
 */
function pathFault(to, own, fromSource, workspaces) {
  const other = workspaces.find(({ folder }) => folder !== own.folder && to.startsWith(`${folder}/`));
  if (other)
    return `a path into another package; import it by an export of ${other.name} (${list(other.exports)})`;
  if (to.startsWith(`${own.folder}/dist/`)) return 'dist is what the build makes; import the source';
  if (!to.startsWith(`${own.folder}/`)) return `it leaves the package ${own.name}`;
  if (fromSource && !to.startsWith(`${own.folder}/src/`))
    return 'src must work without what is outside of src';
  return undefined;
}

/**
 * @param {string} specifier
 * @param {Workspace} own
 * @param {boolean} fromSource
 * @param {Workspace[]} workspaces
 */
function packageFault(specifier, own, fromSource, workspaces) {
  if (specifier.startsWith('node:')) return undefined;
  if (builtinModules.includes(specifier)) return `a part of Node is written node:${specifier}`;
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  if (name === own.name && fromSource) return 'its own package; import the file, so that its floor is seen';

  const workspace = workspaces.find((candidate) => candidate.name === name);
  if (workspace && !workspace.exports.has(specifier)) {
    return `${name} does not export it; its package.json exports ${list(workspace.exports)}`;
  }
  if (fromSource ? own.atRuntime.has(name) : own.inTests.has(name)) return undefined;
  const where = fromSource ? 'dependencies' : 'devDependencies';
  return `${name} is not among the ${where} of ${own.folder}/package.json: npm install -w ${own.folder}`;
}

/** @param {Set<string>} names */
function list(names) {
  return [...names].join(', ') || 'nothing';
}

/**
 * @typedef {object} PackageJson
 * @property {string} [name]
 * @property {Record<string, unknown>} [exports]
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [peerDependencies]
 * @property {Record<string, string>} [optionalDependencies]
 * @property {Record<string, string>} [devDependencies]
 */

/**
 * @param {string} folder
 * @returns {PackageJson | undefined}
 */
function readPackage(folder) {
  const file = join(folder, 'package.json');
  return existsSync(file) ? /** @type {PackageJson} */ (JSON.parse(readFileSync(file, 'utf8'))) : undefined;
}
