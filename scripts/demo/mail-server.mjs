import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { SMTPServer } from 'smtp-server';
import { Changes } from './changes.mjs';

/**
 * @typedef {object} ReceivedMail
 * @property {string} to The recipient of the envelope.
 * @property {number} at When the server had taken it, milliseconds since 1970.
 * @property {string} file The `.eml` it is kept as.
 */

/** The server says this so often to mail for this address before it takes it. */
export const GREYLISTED = {
  address: 'grete@example.org',
  refusals: 2,
  code: 451,
  reply: '4.7.1 Greylisted, try again later',
};
/** Nobody has this address. */
export const UNKNOWN = { address: 'nobody@example.org', code: 550, reply: '5.1.1 No such user here' };
/** Mail to these is looked at for so long before it is taken, as spam filters do: a backlog builds up. */
export const SUBSCRIBER = { prefix: 'subscriber-', lookMs: 50 };

/** A real SMTP server on loopback that keeps each mail it gets as a file. */
export class MailServer {
  /** In the order in which they came. @type {ReceivedMail[]} */
  received = [];
  /** Each RCPT TO that was refused. @type {{ address: string, code: number }[]} */
  refused = [];
  changes = new Changes();

  #folder;
  #server;

  /** @param {string} folder For the mails. */
  static async listen(folder) {
    await mkdir(folder, { recursive: true });
    const mailServer = new MailServer(folder);
    mailServer.#server.listen(0, '127.0.0.1');
    await once(mailServer.#server.server, 'listening');
    return mailServer;
  }

  /** @private @param {string} folder */
  constructor(folder) {
    this.#folder = folder;
    this.#server = new SMTPServer({
      disabledCommands: ['STARTTLS', 'AUTH'],
      closeTimeout: 100,
      onRcptTo: ({ address }, _session, done) => done(this.#refusal(address)),
      onData: (stream, { envelope }, done) => {
        const to = envelope.rcptTo[0]?.address ?? '';
        this.#keep(stream, to).then(() => done(), done);
      },
    });
    this.#server.on('error', () => undefined); // A client that hangs up in the middle of a mail.
  }

  get url() {
    const address = /** @type {import('node:net').AddressInfo} */ (this.#server.server.address());
    return `smtp://127.0.0.1:${address.port}`;
  }

  /** @param {string} address @returns {ReceivedMail[]} */
  mailsTo(address) {
    return this.received.filter(({ to }) => to === address);
  }

  /** @returns {Promise<void>} */
  close() {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  /** @param {string} address @returns {Error | null} */
  #refusal(address) {
    const before = this.refused.filter((refused) => refused.address === address).length;
    if (address === UNKNOWN.address) return this.#refuse(UNKNOWN);
    return address === GREYLISTED.address && before < GREYLISTED.refusals ? this.#refuse(GREYLISTED) : null;
  }

  /** @param {{ address: string, code: number, reply: string }} refusal */
  #refuse({ address, code, reply }) {
    this.refused.push({ address, code });
    this.changes.tell();
    return Object.assign(new Error(reply), { responseCode: code });
  }

  /**
   * @param {import('node:stream').Readable} stream
   * @param {string} to
   */
  async #keep(stream, to) {
    const raw = await buffer(stream);
    if (to.startsWith(SUBSCRIBER.prefix)) await pause(SUBSCRIBER.lookMs);
    const number = String(this.received.length + 1).padStart(3, '0');
    const file = join(this.#folder, `${number}-${to.replace(/@.*/, '')}.eml`);
    this.received.push({ to, at: Date.now(), file });
    await writeFile(file, raw);
    this.changes.tell();
  }
}
