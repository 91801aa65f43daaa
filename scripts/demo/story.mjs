import { SendEmail, priorityOf } from '@jobrail/email/jobs';
import { readDeadLetters } from './dead-letters.mjs';
import { PEOPLE, photograph, table } from './inputs.mjs';
import { GREYLISTED, SUBSCRIBER, UNKNOWN } from './mail-server.mjs';
import { CONTRACTS } from './rail.mjs';
/** @import { EnqueueOptions, InputOf } from 'jobrail' */
/** @import { DeadLetter } from './dead-letters.mjs' */
/** @import { Stage } from './stage.mjs' */

export const DELAY_MS = 3_000;
export const BACKLOG = 40;
const RESET_ADDRESS = 'kate@example.org';
const DELAYED_ADDRESS = 'later@example.org';
const READER = 'reader@example.org';

/**
 * @typedef {object} Report
 * @property {string} id
 * @property {string} traceId Of the request that asked for it.
 * @property {string} outputKey
 * @property {string} data The file of the data set.
 * @property {string} title
 */

/**
 * @typedef {object} Facts What was sent, for the checks.
 * @property {{ name: string, email: string, photograph: string, pictures: string[], jobs: string[] }[]} users
 * @property {{ pdf: Report, xlsx: Report }} reports
 * @property {{ id: string, address: string, requestedAt: number }} delayed
 * @property {{ id: string, address: string }} flaky
 * @property {{ id: string, address: string }} unknown
 * @property {{ resizeId: string, email: string }} notAPhoto
 * @property {{ ids: string[] }} backlog
 * @property {{ id: string, address: string }} reset
 * @property {{ email: DeadLetter[], media: DeadLetter[] }} deadLetters As the broker keeps them.
 */

/**
 * Sends everything there is to see, and resolves once each job has come to its end.
 *
 * @param {Stage} stage
 * @returns {Promise<Facts>}
 */
export async function tellStory(stage) {
  const delayed = await sendDelayed(stage);
  const flaky = await sendMail(stage, GREYLISTED.address, 'mail, refused twice');
  const unknown = await sendMail(stage, UNKNOWN.address, 'mail to nobody');
  const reports = await requestReports(stage);
  const users = [];
  for (const person of PEOPLE) users.push(await openAccount(stage, person));
  const notAPhoto = await openAccountWithText(stage);
  const { backlog, reset } = await overtake(stage);

  const { board, signal } = stage;
  const mailsOfReports = Object.values(reports).map(({ id }) => `${id}.ready`);
  const ended = () => mailsOfReports.every((id) => board.isFinal(id)) && board.allFinal();
  await board.changes.until(ended, { what: 'The end of all jobs', withinMs: 90_000, signal });
  const deadLetters = {
    email: await readDeadLetters(stage.rail, 'email'),
    media: await readDeadLetters(stage.rail, 'media'),
  };
  return { users, reports, delayed, flaky, unknown, notAPhoto, backlog, reset, deadLetters };
}

/**
 * A mail, straight into the queue as any producer does it. It stands on the board once the broker has confirmed it.
 *
 * @param {Stage} stage
 * @param {string} address
 * @param {string} label
 * @param {EnqueueOptions} options
 */
export async function sendMail({ rail, board }, address, label, options = {}) {
  const { id } = await rail.client.enqueue(SendEmail, welcome(address), options);
  const { delay, priority = 0 } = options;
  const dueAt = delay === undefined ? {} : { dueAt: Date.now() + Number(delay) };
  board.enqueued({ id, label, contract: SendEmail.name, queue: SendEmail.queue.name, priority, ...dueAt });
  return { id, address };
}

/** @param {Stage} stage */
async function sendDelayed(stage) {
  const requestedAt = Date.now();
  // Of some urgency, so that it does not stand behind the newsletter once it is due.
  const options = { delay: DELAY_MS, priority: 1 };
  const sent = await sendMail(stage, DELAYED_ADDRESS, `mail, delayed ${DELAY_MS / 1_000} s`, options);
  return { ...sent, requestedAt };
}

/** @param {Stage} stage */
async function requestReports(stage) {
  for (const data of ['seattle-weather.csv', 'airports.csv']) {
    await stage.storage.put(`datasets/${data}`, await table(data));
  }
  const pdf = await requestReport(stage, {
    title: 'Seattle weather',
    data: 'seattle-weather.csv',
    format: 'pdf',
    chart: { label: 'date', value: 'temp_max', kind: 'line' },
  });
  const xlsx = await requestReport(stage, { title: 'US airports', data: 'airports.csv', format: 'xlsx' });
  return { pdf, xlsx };
}

/**
 * @param {Stage} stage
 * @param {{ title: string, data: string, format: string, chart?: object }} report
 * @returns {Promise<Report>}
 */
export async function requestReport(stage, { data, ...report }) {
  const source = { kind: 'csv', key: `datasets/${data}` };
  const { jobs, outputKey, traceId } = await stage.api.requestReport({ ...report, source, notify: READER });
  const { title, format } = report;
  const id = jobs[0]?.id ?? '';
  putOnBoard(stage, jobs, () => `${format} ${title}`);
  stage.board.name(`${id}.ready`, `mail: ${title}`);
  return { id, traceId, outputKey, data, title };
}

/**
 * @param {Stage} stage
 * @param {{ name: string, email: string, photograph: string }} person
 */
export async function openAccount(stage, person) {
  const { name, email } = person;
  const avatar = await photograph(person.photograph);
  const { jobs, pictures } = await stage.api.createUser({ name, email, avatar, fileName: person.photograph });
  const [first = ''] = name.split(' ');
  putOnBoard(stage, jobs, (contract) =>
    contract === SendEmail.name ? `welcome ${first}` : `photo of ${first}`,
  );
  return { ...person, pictures, jobs: jobs.map(({ id }) => id) };
}

/** @param {Stage} stage */
async function openAccountWithText(stage) {
  const email = 'textfile@example.org';
  const avatar = Buffer.from('This is no photograph.\n');
  const { jobs } = await stage.api.createUser({ name: 'Tex T. File', email, avatar, fileName: 'photo.jpg' });
  putOnBoard(stage, jobs, (contract) =>
    contract === SendEmail.name ? 'welcome Tex' : 'text named photo.jpg',
  );
  const resize = jobs.find(({ contract }) => contract !== SendEmail.name);
  return { resizeId: resize?.id ?? '', email };
}

/**
 * Many mails of no urgency, and once they are on their way a password reset behind them.
 *
 * @param {Stage} stage
 */
async function overtake(stage) {
  const { rail, mailServer, signal } = stage;
  const group = `${BACKLOG} newsletter mails`;
  const addresses = Array.from(
    { length: BACKLOG },
    (_, index) => `${SUBSCRIBER.prefix}${index + 1}@example.org`,
  );
  const sent = await rail.client.enqueueMany(SendEmail, addresses.map(welcome));
  const known = { contract: SendEmail.name, queue: SendEmail.queue.name };
  for (const [index, { id }] of sent.entries()) {
    stage.board.enqueued({ id, label: `newsletter ${index + 1}`, group, ...known });
  }
  const begun = () => mailServer.received.some(({ to }) => to.startsWith(SUBSCRIBER.prefix));
  await mailServer.changes.until(begun, { what: 'The first mail of the backlog', signal });

  const priority = priorityOf('reset');
  const mail = {
    to: RESET_ADDRESS,
    template: /** @type {const} */ ('reset'),
    data: { name: 'Kate', resetUrl: 'https://demo.example/reset/8f2c', expiresIn: '30 minutes' },
  };
  const { id } = await rail.client.enqueue(SendEmail, mail, { priority });
  stage.board.enqueued({ id, label: 'password reset', priority, ...known });
  return { backlog: { ids: sent.map((job) => job.id) }, reset: { id, address: RESET_ADDRESS } };
}

/**
 * @param {Stage} stage
 * @param {{ id: string, contract: string }[]} jobs
 * @param {(contract: string) => string} label
 */
function putOnBoard({ board }, jobs, label) {
  for (const { id, contract } of jobs) {
    const queue = CONTRACTS.find(({ name }) => name === contract)?.queue.name ?? '';
    board.enqueued({ id, label: label(contract), contract, queue });
  }
}

/** @param {string} to @returns {InputOf<typeof SendEmail>} */
function welcome(to) {
  return {
    to,
    template: 'welcome',
    data: { name: to.replace(/@.*/, ''), loginUrl: 'https://demo.example/login' },
  };
}
