import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import PostalMime from 'postal-mime';
import { count, must } from './check.mjs';
/** @import { Check } from './check.mjs' */
/** @import { Stage } from '../stage.mjs' */

/** @type {Check} */
export const mailsArrived = {
  name: 'mails',
  async run({ users, backlog, delayed, flaky, reset, reports, notAPhoto }, { mailServer }) {
    const wanted = users.length + backlog.ids.length + [delayed, flaky, reset, notAPhoto].length + 2;
    const { received } = mailServer;
    must(received.length === wanted, `${received.length} mails were received, not ${wanted}`);
    const mails = await Promise.all(received.map(async ({ file }) => PostalMime.parse(await readFile(file))));
    const jobs = [
      ...backlog.ids,
      delayed.id,
      flaky.id,
      reset.id,
      ...users.flatMap((user) => user.jobs[1] ?? []),
    ];
    const reportMails = Object.values(reports).map(({ id }) => `${id}%2Eready`);
    for (const id of [...jobs, ...reportMails]) {
      const found = mails.filter(({ messageId }) => messageId?.startsWith(`<${id}@`));
      must(found.length === 1, `${found.length} mails have a Message-ID of job ${id}`);
    }
    for (const { subject = '', text, html, messageId } of mails) {
      must(
        subject.length > 5 && Boolean(text) && Boolean(html),
        `mail ${messageId} lacks subject, text or HTML`,
      );
    }
    return `${count(mails.length)} received and parsed: each job's mail once, with subject, text and HTML`;
  },
};

/** @type {Check} */
export const reportsAttached = {
  name: 'attachments',
  async run({ reports }, stage) {
    const sizes = [];
    for (const { id, outputKey } of Object.values(reports)) {
      const mail = await mailOf(stage, `${id}%2Eready`);
      const [attachment] = mail.attachments;
      must(mail.attachments.length === 1 && attachment !== undefined, 'a report mail has no attachment');
      const stored = await buffer(await stage.storage.get(outputKey));
      const { content } = attachment;
      must(stored.equals(bytesOf(content)), `${outputKey} was attached changed`);
      sizes.push(`${attachment.filename} (${count(Math.round(stored.length / 1024))} KiB)`);
    }
    return `${sizes.join(' and ')} came with their mails, byte for byte as in the storage`;
  },
};

/** @param {ArrayBuffer | Uint8Array | string} content */
function bytesOf(content) {
  return typeof content === 'string' ? Buffer.from(content) : new Uint8Array(content);
}

/** @param {Stage} stage @param {string} idInMessageId */
async function mailOf({ mailServer }, idInMessageId) {
  for (const { file } of mailServer.received) {
    const mail = await PostalMime.parse(await readFile(file));
    if (mail.messageId?.startsWith(`<${idInMessageId}@`)) return mail;
  }
  throw new Error(`there is no mail of job ${idInMessageId}`);
}
