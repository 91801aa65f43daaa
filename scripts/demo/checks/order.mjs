import { GREYLISTED, SUBSCRIBER } from '../mail-server.mjs';
import { DELAY_MS } from '../story.mjs';
import { must } from './check.mjs';
/** @import { Check } from './check.mjs' */

/** Clocks are read to the millisecond. */
const ROUNDING_MS = 1;

/** @type {Check} */
export const urgentOvertook = {
  name: 'priority',
  async run({ reset, backlog }, { mailServer: { received } }) {
    const place = received.findIndex(({ to }) => to === reset.address);
    must(place !== -1, 'the password reset was not sent');
    const overtaken = received.slice(place).filter(({ to }) => to.startsWith(SUBSCRIBER.prefix)).length;
    must(overtaken >= backlog.ids.length / 2, `it overtook only ${overtaken} of ${backlog.ids.length} mails`);
    return `the password reset overtook ${overtaken} mails that were enqueued before it`;
  },
};

/** How late a job starts says something about the machine, and is no fault. That it starts early would be one. @type {Check} */
export const neverEarly = {
  name: 'delay',
  async run({ delayed }, { mailServer }) {
    const [mail] = mailServer.mailsTo(delayed.address);
    must(mail !== undefined, 'the delayed mail did not come');
    const afterMs = mail.at - delayed.requestedAt;
    const words = `${(afterMs / 1_000).toFixed(2)} s after it was asked for with a delay of ${DELAY_MS / 1_000} s`;
    must(afterMs >= DELAY_MS - ROUNDING_MS, `the mail came too early: ${words}`);
    return `the mail came ${words}`;
  },
};

/** @type {Check} */
export const thirdTimeLucky = {
  name: 'retry',
  async run({ flaky }, { mailServer, board }) {
    const refused = mailServer.refused.filter(({ address }) => address === flaky.address);
    const job = board.jobs.get(flaky.id);
    const sent = mailServer.mailsTo(flaky.address).length;
    const state = `${refused.length} times refused, ${sent} times sent, ${job?.state} after ${job?.attempts} attempts`;
    must(refused.length === GREYLISTED.refusals && sent === 1, state);
    must(job?.state === 'completed' && job.attempts === GREYLISTED.refusals + 1, state);
    return `the mail server said ${GREYLISTED.code} twice, attempt ${job.attempts} was taken`;
  },
};
