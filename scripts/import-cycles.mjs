/** @import { Import } from './imports.mjs' */

/**
 * The circles among files that import each other.
 *
 * @param {Import[]} imports
 * @returns {string[][]} For each circle its files in the order of import, the first one again at the end. Of circles
 *   that share an edge not all are listed, but at least one of them is.
 */
export function findCycles(imports) {
  /** @type {Map<string, string[]>} */
  const graph = new Map();
  for (const { from, to } of imports) {
    if (to !== undefined) graph.set(from, [...(graph.get(from) ?? []), to]);
  }
  /** @type {string[][]} */
  const cycles = [];
  /** @type {Set<string>} */
  const done = new Set();
  /** @type {string[]} */
  const path = [];

  const visit = (/** @type {string} */ file) => {
    if (done.has(file)) return;
    if (path.includes(file)) {
      cycles.push([...path.slice(path.indexOf(file)), file]);
      return;
    }
    path.push(file);
    for (const next of graph.get(file) ?? []) visit(next);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return cycles;
}
