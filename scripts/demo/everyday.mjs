import { setTimeout as pause } from 'node:timers/promises';
import { PEOPLE } from './inputs.mjs';
import { openAccount, requestReport, sendMail } from './story.mjs';
/** @import { Stage } from './stage.mjs' */

const EVERY_MS = 2_500;

/** What happens in turn. @type {((stage: Stage, round: number) => Promise<unknown>)[]} */
const TURNS = [
  (stage, round) => openAccount(stage, personOf(round)),
  (stage) => sendMail(stage, 'later@example.org', 'mail, delayed 4 s', { delay: 4_000, priority: 1 }),
  (stage) => requestReport(stage, { title: 'US airports', data: 'airports.csv', format: 'xlsx' }),
  (stage) => sendMail(stage, 'kate@example.org', 'urgent mail', { priority: 2 }),
];

/** @param {number} round */
function personOf(round) {
  const person = PEOPLE[round % PEOPLE.length];
  if (!person) throw new Error('There are no people.');
  return person;
}

/**
 * A little traffic, until the stage's signal is aborted.
 *
 * @param {Stage} stage
 * @returns {Promise<never>}
 * @throws the reason of the signal.
 */
export async function goOn(stage) {
  for (let turn = 0; ; turn++) {
    await pause(EVERY_MS, undefined, { signal: stage.signal }).catch(() => stage.signal.throwIfAborted());
    await TURNS[turn % TURNS.length]?.(stage, Math.floor(turn / TURNS.length));
  }
}
