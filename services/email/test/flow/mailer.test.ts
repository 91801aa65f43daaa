import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import { DeliveryError, type DeliveryErrorCode } from '../../src/delivery-error.js';
import { Mailer, type OutgoingMail } from '../../src/mailer.js';
import { closedPort, MailServer, type MailServerOptions, type Refusal } from '../mail-server.js';

const from = { name: 'Jörg & Söhne', address: 'no-reply@acme.example' };
const never = new AbortController().signal;

function mail(changes: Partial<OutgoingMail> = {}): OutgoingMail {
  return {
    to: 'ada@example.com',
    jobId: 'job-1',
    subject: 'Grüße aus Zürich',
    html: '<p>Grüße</p>',
    text: 'Grüße',
    attachments: [],
    ...changes,
  };
}

describe('Mailer, on a real SMTP server', () => {
  let server: MailServer;
  let mailer: Mailer;

  async function start(options?: MailServerOptions, connections = 4): Promise<void> {
    server = await MailServer.listen(options);
    mailer = new Mailer({ smtpUrl: server.url, from, connections });
  }

  afterEach(async () => {
    mailer.close();
    await server.close();
  });

  async function refusal(work: Promise<unknown>): Promise<DeliveryError> {
    const error: unknown = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(DeliveryError);
    return error as DeliveryError;
  }

  it('sends text and HTML as alternatives, with the Message-ID of the job', async () => {
    await start();
    const sent = await mailer.send(mail(), never);
    expect(sent.messageId).to.equal('<job-1@acme.example>');
    expect(sent.reply).to.match(/^250 /);
    const [received] = await server.mails(1);
    expect(received).to.deep.include({
      subject: 'Grüße aus Zürich',
      messageId: '<job-1@acme.example>',
      envelope: { from: from.address, to: ['ada@example.com'] },
    });
    expect(received?.from).to.deep.include(from);
    expect(received?.to).to.have.length(1);
    expect(received?.text?.trim()).to.equal('Grüße');
    expect(received?.html?.trim()).to.equal('<p>Grüße</p>');
    expect(received?.raw)
      .to.match(/^Content-Type: multipart\/alternative/m)
      .and.match(/^Auto-Submitted: auto-generated/m);
  });

  it('sends attachments byte by byte, under their names', async () => {
    await start();
    const files = [
      { filename: 'Übersicht "Q3" – 一.xlsx', bytes: randomBytes(2_000_000) },
      { filename: 'empty.csv', bytes: Buffer.alloc(0) },
    ];
    const attachments = files.map(({ filename, bytes }) => ({ filename, content: Readable.from([bytes]) }));
    await mailer.send(mail({ attachments }), never);
    const [received] = await server.mails(1);
    expect(received?.attachments.map(({ filename }) => filename)).to.deep.equal(
      files.map(({ filename }) => filename),
    );
    received?.attachments.forEach(({ content }, index) => {
      expect(files[index]?.bytes.equals(Buffer.from(content as ArrayBuffer))).to.equal(true);
    });
    expect(received?.attachments[0]?.mimeType).to.equal(
      'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    );
  });

  const refusals: [when: 'recipient' | 'mail', reply: Refusal, code: DeliveryErrorCode][] = [
    ['recipient', { code: 550, text: '5.1.1 No such user' }, 'MAIL_REFUSED'],
    ['recipient', { code: 451, text: '4.7.1 Greylisted, come back later' }, 'MAIL_DEFERRED'],
    ['mail', { code: 552, text: '5.3.4 Message too big' }, 'MAIL_REFUSED'],
    ['mail', { code: 452, text: '4.2.2 Mailbox full' }, 'MAIL_DEFERRED'],
    ['mail', { code: 421, text: '4.3.2 Shutting down' }, 'MAIL_DEFERRED'],
  ];
  for (const [when, reply, code] of refusals) {
    it(`judges ${reply.code} to the ${when} as ${code} and goes on with the next mail`, async () => {
      let answer: Refusal | undefined = reply;
      const refuse = (): Refusal | undefined => answer;
      await start(when === 'recipient' ? { refuseRecipient: refuse } : { refuseMail: refuse });
      const error = await refusal(mailer.send(mail(), never));
      expect(error.code).to.equal(code);
      expect(error.reply).to.equal(`${reply.code} ${reply.text}`);
      answer = undefined;
      await mailer.send(mail({ jobId: 'job-2' }), never);
      expect(server.received).to.have.length(1);
    });
  }

  it('logs in', async () => {
    await start({ login: { user: 'robot@acme', password: 's:e/cret' } });
    const login = `${encodeURIComponent('robot@acme')}:${encodeURIComponent('s:e/cret')}`;
    mailer = new Mailer({ smtpUrl: server.url.replace('//', `//${login}@`), from, connections: 1 });
    await mailer.send(mail(), never);
    expect(server.received).to.have.length(1);
  });

  it('judges a refused login as a fault of the service, which is retried, and shows no password', async () => {
    await start({ login: { user: 'robot', password: 'right' } });
    mailer = new Mailer({ smtpUrl: server.url.replace('//', '//robot:wrong-one@'), from, connections: 1 });
    const error = await refusal(mailer.send(mail(), never));
    expect(error.code).to.equal('SMTP_LOGIN_REFUSED');
    expect(error.permanent).to.equal(false);
    expect(error.message).to.include('535 5.7.8 Credentials invalid').and.not.to.include('wrong-one');
  });

  it('judges a refused connection as retried, and sends once the server is there', async () => {
    const port = await closedPort();
    mailer = new Mailer({ smtpUrl: `smtp://127.0.0.1:${port}`, from, connections: 1 });
    const error = await refusal(mailer.send(mail(), never));
    expect(error.code).to.equal('SMTP_UNREACHABLE');
    expect(error.message).to.include('ECONNREFUSED');
    server = await MailServer.listen({ port });
    await mailer.send(mail(), never);
    expect(server.received).to.have.length(1);
  });

  it('does not fail a mail because the pooled connection was closed meanwhile', async () => {
    await start(undefined, 1);
    await mailer.send(mail(), never);
    const { port } = server;
    await server.close();
    server = await MailServer.listen({ port });
    await mailer.send(
      mail({ jobId: 'job-2', attachments: [{ filename: 'a', content: Readable.from(['bytes']) }] }),
      never,
    );
    const [received] = await server.mails(1);
    expect(Buffer.from(received?.attachments[0]?.content as ArrayBuffer).toString()).to.equal('bytes');
  });

  it('delivers nothing when an attachment breaks off', async () => {
    await start();
    const content = Readable.from(
      (function* () {
        yield 'first part';
        throw new Error('disk gone');
      })(),
    );
    const error = await refusal(mailer.send(mail({ attachments: [{ filename: 'a.txt', content }] }), never));
    expect(error.code).to.equal('ATTACHMENT_BROKE');
    expect(error.message).to.include('disk gone');
    await mailer.send(mail({ jobId: 'job-2' }), never);
    expect(server.received.map(({ messageId }) => messageId)).to.deep.equal(['<job-2@acme.example>']);
  });

  it('gives up at once when the signal aborts while the server thinks, and keeps serving other mails', async () => {
    const abort = new AbortController();
    let arrived = false;
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await start({
      refuseMail: async ({ messageId }) => {
        if (messageId !== '<held@acme.example>') return undefined;
        arrived = true;
        queueMicrotask(() => abort.abort(new Error('the grace period is over')));
        await held;
        return undefined;
      },
    });
    const outcome = await mailer
      .send(mail({ jobId: 'held' }), abort.signal)
      .catch((reason: unknown) => reason);
    expect(outcome).to.equal(abort.signal.reason);
    expect(arrived).to.equal(true);
    await mailer.send(mail({ jobId: 'job-2' }), never);
    release();
  });

  it('sends nothing when the signal has aborted before', async () => {
    await start();
    const outcome = await mailer
      .send(mail(), AbortSignal.abort('too late'))
      .catch((reason: unknown) => reason);
    expect(outcome).to.equal('too late');
    expect(server.connections).to.equal(0);
  });

  it('lets go of a server that never greets', async () => {
    await start();
    const silent = createServer();
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const abort = new AbortController();
    const { port } = silent.address() as AddressInfo;
    mailer = new Mailer({ smtpUrl: `smtp://127.0.0.1:${port}`, from, connections: 1 });
    const sending = mailer.send(mail(), abort.signal).catch((reason: unknown) => reason);
    const [socket] = (await once(silent, 'connection')) as [Socket];
    abort.abort(new Error('timeout'));
    expect(await sending).to.equal(abort.signal.reason);
    await once(socket, 'close');
    silent.close();
  });

  it('keeps line breaks out of every header', async () => {
    await start();
    const evil = 'x\r\nBcc: victim@example.com\r\n\r\nbody';
    await mailer.send(
      mail({ subject: evil, jobId: evil, attachments: [{ filename: evil, content: Readable.from(['a']) }] }),
      never,
    );
    const [received] = await server.mails(1);
    expect(received?.bcc).to.equal(undefined);
    expect(received?.raw).not.to.match(/^Bcc:/im);
    expect(server.recipientsAsked).to.deep.equal(['ada@example.com']);
  });

  it('addresses exactly one recipient, whatever the address looks like', async () => {
    await start();
    await mailer.send(mail({ to: 'ada@example.com, eve@example.com' }), never).catch(() => undefined);
    expect(server.recipientsAsked).not.to.include('eve@example.com');
  });

  it('uses no more connections than allowed', async () => {
    await start(undefined, 2);
    const jobs = Array.from({ length: 12 }, (_, index) => `job-${index}`);
    await Promise.all(jobs.map((jobId) => mailer.send(mail({ jobId }), new AbortController().signal)));
    expect(server.received).to.have.length(12);
    expect(server.connections).to.equal(2);
  });
});
