import { readDeadLetters } from '../dead-letters.mjs';
import { UNKNOWN } from '../mail-server.mjs';
import { must } from './check.mjs';
/** @import { Check } from './check.mjs' */

/** @type {Check} */
export const deadMailKept = {
  name: 'dead letter',
  async run({ unknown }, { rail }) {
    const letters = await readDeadLetters(rail, 'email');
    must(letters.length === 1, `${letters.length} dead letters in ${rail.prefix}.email.dead, not 1`);
    const [letter] = letters;
    must(letter?.id === unknown.id, `the dead letter is job ${letter?.id}, not ${unknown.id}`);
    must(
      letter.reason === 'fatal' && letter.error.includes(UNKNOWN.reply),
      `${letter.reason}: ${letter.error}`,
    );
    return `the mail to ${unknown.address} is kept after ${letter.attempts} attempt: ${letter.reason}, ${UNKNOWN.code} ${UNKNOWN.reply}`;
  },
};

/** @type {Check} */
export const deadPictureKept = {
  name: 'dead letter',
  async run({ notAPhoto }, { rail }) {
    const letters = await readDeadLetters(rail, 'media');
    must(letters.length === 1, `${letters.length} dead letters in ${rail.prefix}.media.dead, not 1`);
    const [letter] = letters;
    must(
      letter?.id === notAPhoto.resizeId,
      `the dead letter is job ${letter?.id}, not ${notAPhoto.resizeId}`,
    );
    must(letter.reason === 'fatal', `the reason is ${letter.reason}`);
    return `the text named photo.jpg is kept after ${letter.attempts} attempt: ${letter.reason}`;
  },
};

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
