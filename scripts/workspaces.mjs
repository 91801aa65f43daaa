import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The folders of the packages, as `workspaces` in the package.json of the root has them: `framework`, `services/*`.
 *
 * @param {string} root
 * @returns {string[]} Relative to the root, in that order; those of a pattern sorted.
 */
export function workspaceFolders(root) {
  const { workspaces = [] } = /** @type {{ workspaces?: string[] }} */ (
    JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  );
  return workspaces
    .flatMap((pattern) => {
      if (!pattern.endsWith('/*')) return [pattern];
      const parent = pattern.slice(0, -2);
      return existsSync(join(root, parent))
        ? readdirSync(join(root, parent))
            .sort()
            .map((name) => `${parent}/${name}`)
        : [];
    })
    .filter((folder) => existsSync(join(root, folder, 'package.json')));
}
