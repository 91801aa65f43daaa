import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';
import { Changes } from './changes.js';

/** A mail that the server took, as an independent parser reads it. */
export interface ReceivedMail extends Email {
  messageId: string;
  raw: string;
  envelope: { from: string; to: string[] };
}

/** A reply other than 250. */
export interface Refusal {
  code: number;
  text: string;
}

export interface MailServerOptions {
  /** Default: a free one. */
  port?: number;
  /** Asked at each RCPT TO. */
  refuseRecipient?: (address: string) => Refusal | undefined;
  /** Asked when the content has arrived; may take its time. */
  refuseMail?: (mail: ReceivedMail) => Refusal | undefined | Promise<Refusal | undefined>;
  /** Without it no login is asked for. */
  login?: { user: string; password: string };
}

/** A real SMTP server in the test process, which keeps what it gets. */
export class MailServer {
  readonly received: ReceivedMail[] = [];
  /** Every address of a RCPT TO, refused ones included. */
  readonly recipientsAsked: string[] = [];
  connections = 0;
  private readonly changes = new Changes();

  private constructor(
    private readonly server: SMTPServer,
    readonly port: number,
  ) {}

  static async listen(options: MailServerOptions = {}): Promise<MailServer> {
    const server = new SMTPServer({
      disabledCommands: options.login ? ['STARTTLS'] : ['STARTTLS', 'AUTH'],
      allowInsecureAuth: true,
      closeTimeout: 100,
      onConnect: (_session, done) => {
        self.connections += 1;
        done();
      },
      onAuth: ({ username, password }, _session, done) => {
        const known = username === options.login?.user && password === options.login?.password;
        if (known) done(null, { user: username });
        else done(replyError({ code: 535, text: '5.7.8 Credentials invalid' }));
      },
      onRcptTo: ({ address }, _session, done) => {
        self.recipientsAsked.push(address);
        const refusal = options.refuseRecipient?.(address);
        done(refusal && replyError(refusal));
        self.changes.tell();
      },
      onData: (stream, session, done) => {
        self.take(stream, session, options).then((refusal) => done(refusal && replyError(refusal)), done);
      },
    });
    server.on('error', () => undefined); // clients that hang up in the middle of a mail
    server.listen(options.port ?? 0, '127.0.0.1');
    await once(server.server, 'listening');
    const self = new MailServer(server, (server.server.address() as AddressInfo).port);
    return self;
  }

  get url(): string {
    return `smtp://127.0.0.1:${this.port}`;
  }

  /** The first `count` mails, once they are here. */
  async mails(count: number): Promise<ReceivedMail[]> {
    await this.changes.until(() => this.received.length >= count);
    return this.received.slice(0, count);
  }

  /** Stops listening and hangs up on everybody. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private async take(
    stream: Readable,
    { envelope }: SMTPServerSession,
    { refuseMail }: MailServerOptions,
  ): Promise<Refusal | undefined> {
    const raw = await buffer(stream);
    const parsed = await PostalMime.parse(raw);
    const mail: ReceivedMail = {
      ...parsed,
      messageId: parsed.messageId ?? '(none)',
      raw: raw.toString('latin1'),
      envelope: {
        from: envelope.mailFrom ? envelope.mailFrom.address : '',
        to: envelope.rcptTo.map(({ address }) => address),
      },
    };
    const refusal = await refuseMail?.(mail);
    if (refusal === undefined) this.received.push(mail);
    this.changes.tell();
    return refusal;
  }
}

/** A port of this machine that nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = await MailServer.listen();
  await server.close();
  return server.port;
}

function replyError({ code, text }: Refusal): Error {
  return Object.assign(new Error(text), { responseCode: code });
}
