import { UNKNOWN } from '../mail-server.mjs';
import { must } from './check.mjs';
/** @import { Check } from './check.mjs' */
/** @import { DeadLetter } from '../dead-letters.mjs' */

/** @type {Check} */
export const deadMailKept = {
  name: 'dead letter',
  async run({ unknown, deadLetters: { email } }) {
    const { attempts, reason, error } = onlyOne(email, unknown.id);
    must(error.includes(`${UNKNOWN.code} ${UNKNOWN.reply}`), `its error is "${error}"`);
    return `the mail to ${unknown.address} is kept, ${reason} at attempt ${attempts}: ${UNKNOWN.code} ${UNKNOWN.reply}`;
  },
};

/** @type {Check} */
export const deadPictureKept = {
  name: 'dead letter',
  async run({ notAPhoto, deadLetters: { media } }) {
    const { attempts, reason } = onlyOne(media, notAPhoto.resizeId);
    return `the text named photo.jpg is kept, ${reason} at attempt ${attempts}`;
  },
};

/** @param {DeadLetter[]} letters @param {string} id @returns {DeadLetter} */
function onlyOne(letters, id) {
  const [letter, ...others] = letters;
  must(letter !== undefined && others.length === 0, `there are ${letters.length} dead letters, not one`);
  must(letter.id === id, `the dead letter is job ${letter.id}, not ${id}`);
  must(letter.reason === 'fatal', `its reason is ${letter.reason}`);
  return letter;
}

/** @type {Check} */
export const nothingLeft = {
  name: 'queues',
  async run(_facts, { rail: { broker, prefix } }) {
    const lanes = ['email', 'email.p1', 'email.p2', 'media', 'reports', 'unroutable', 'reports.dead'];
    for (const lane of lanes) {
      const depth = await broker.depth(`${prefix}.${lane}`);
      must(depth?.messages === 0, `${depth?.messages} messages are left in ${prefix}.${lane}`);
    }
    return 'all empty but for the dead letters: nothing lost, nothing going round';
  },
};
