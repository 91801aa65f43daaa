/** @import { Facts } from '../story.mjs' */
/** @import { Stage } from '../stage.mjs' */

/**
 * @typedef {object} Check One thing that must be true after the story.
 * @property {string} name
 * @property {(facts: Facts, stage: Stage) => Promise<string>} run Returns what was found, in words. Rejects when it
 *   is not as it must be, saying what was found instead.
 */

/**
 * @param {boolean} condition
 * @param {string} found What was found instead.
 * @returns {asserts condition}
 */
export function must(condition, found) {
  if (!condition) throw new Error(found);
}

/** 1234 → "1,234" @param {number} value */
export const count = (value) => value.toLocaleString('en-US');
