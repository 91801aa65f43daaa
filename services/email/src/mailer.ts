import type { Readable } from 'node:stream';
import { domainToASCII } from 'node:url';
import { createTransport, type NodemailerError, type Transporter } from 'nodemailer';
import { deliveryErrorOf } from './delivery-error.js';
import { messageIdOf } from './message-id.js';
import type { WrittenMail } from './templates.js';

/** A mail and where it goes. */
export interface OutgoingMail extends WrittenMail {
  /** One bare address. */
  to: string;
  /** What the Message-ID is made of. */
  jobId: string;
  attachments: { filename: string; content: Readable }[];
}

/** A mail address, and the name shown beside it (may be empty). */
export interface Mailbox {
  name: string;
  address: string;
}

/** What the mail server made of a mail. */
export interface SentMail {
  messageId: string;
  /** Such as `250 2.0.0 Ok: queued as 4F2A`. */
  reply: string;
}

export interface MailerOptions {
  /** `smtp://` (upgraded to TLS when the server offers it) or `smtps://`, with user, password and nodemailer's options. */
  smtpUrl: string;
  from: Mailbox;
  /** Connections held open at most; make it the concurrency of the queue, so that no mail waits for one. */
  connections: number;
}

const connectTimeoutMs = 10_000;
/** Silence of the server that ends a connection. Below the timeout of the handler, so that the reason is told. */
const silenceTimeoutMs = 20_000;

/** Sends mails over pooled SMTP connections, which are made when first needed. */
export class Mailer {
  private readonly transport: Transporter;
  private readonly domain: string;

  constructor(private readonly options: MailerOptions) {
    this.domain = domainToASCII(options.from.address.split('@').at(-1) ?? '');
    this.transport = createTransport({
      pool: true,
      url: options.smtpUrl,
      maxConnections: options.connections,
      // A pooled connection that the server has closed meanwhile is no failed attempt: once more, on a new one.
      maxRequeues: 1,
      connectionTimeout: connectTimeoutMs,
      greetingTimeout: connectTimeoutMs,
      socketTimeout: silenceTimeoutMs,
      // Nothing in a payload can make nodemailer read a file or fetch a URL.
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  }

  /**
   * Sends a mail; resolves with the reply of the server once it has taken the responsibility for it.
   * @throws DeliveryError; the reason of `signal` when that aborts, which closes the connection in use.
   */
  async send(mail: OutgoingMail, signal: AbortSignal): Promise<SentMail> {
    signal.throwIfAborted();
    try {
      const { to, jobId, ...content } = mail;
      const messageId = messageIdOf(jobId, this.domain);
      const sent = await this.transport.sendMail({
        ...content,
        messageId,
        from: this.options.from,
        to: { name: '', address: to },
        // RFC 3834: keeps out-of-office notes from answering.
        headers: { 'Auto-Submitted': 'auto-generated' },
        signal,
      });
      return { messageId, reply: String(sent.response) };
    } catch (error) {
      signal.throwIfAborted();
      throw deliveryErrorOf(error as NodemailerError);
    }
  }

  /** Closes the connections; a mail that is being sent is finished first. */
  close(): void {
    this.transport.close();
  }
}
