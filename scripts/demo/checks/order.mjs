import { GREYLISTED, SUBSCRIBER } from '../mail-server.mjs';
import { DELAY_MS } from '../story.mjs';
import { must } from './check.mjs';
/** @import { Check } from './check.mjs' */

/** The mail that is being sent when the urgent one comes is finished, and one may begin before it has arrived. */
const MOST_BEFORE = 3;
/** On a machine that does other things too. */
const MOST_LATE_MS = 1_500;
/** Clocks of two processes are read to the millisecond. */
const ROUNDING_MS = 1;

/** @type {Check} */
export const urgentOvertook = {
  name: 'priority',
  async run({ reset, backlog }, { mailServer }) {
    const { received } = mailServer;
    const place = received.findIndex(({ to }) => to === reset.address);
    must(place !== -1, 'the password reset was not sent');
    const isBacklog = (/** @type {{ to: string }} */ { to }) => to.startsWith(SUBSCRIBER.prefix);
    const before = received
      .slice(0, place)
      .filter((mail) => isBacklog(mail) && mail.at >= reset.confirmedAt).length;
    const overtaken = received.slice(place).filter(isBacklog).length;
    must(
      before <= MOST_BEFORE,
      `${before} mails of the backlog were sent before the password reset behind them`,
    );
    must(overtaken >= backlog.ids.length / 2, `only ${overtaken} of ${backlog.ids.length} were overtaken`);
    return `the password reset overtook ${overtaken} mails that were waiting before it`;
  },
};

/** @type {Check} */
export const neverEarly = {
  name: 'delay',
  async run({ delayed }, { mailServer }) {
    const [mail] = mailServer.mailsTo(delayed.address);
    must(mail !== undefined, 'the delayed mail did not come');
    const afterMs = mail.at - delayed.requestedAt;
    const words = `${(afterMs / 1_000).toFixed(2)} s after it was asked for with a delay of ${DELAY_MS / 1_000} s`;
    must(afterMs >= DELAY_MS - ROUNDING_MS, `the mail came too early: ${words}`);
    must(afterMs <= DELAY_MS + MOST_LATE_MS, `the mail came late: ${words}`);
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
