import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { DeliveryError } from '../../src/delivery-error.js';
import { priorityOf, SendEmail } from '../../src/jobs.js';
import { EmailRail } from '../email-rail.js';
import { closedPort, MailServer, type MailServerOptions } from '../mail-server.js';

const welcome = {
  to: 'ada@example.com',
  template: 'welcome' as const,
  data: { name: 'Ada', loginUrl: 'https://acme.example/login' },
};

describe('email.send, on RabbitMQ and a real SMTP server', () => {
  let rail: EmailRail;
  let server: MailServer;

  before(function () {
    if (!process.env['AMQP_URL'] && !process.env['CI']) this.skip();
  });

  beforeEach(async () => {
    rail = await EmailRail.open();
  });

  afterEach(async () => {
    await rail.close();
    await server.close();
  });

  async function start(options?: MailServerOptions & { concurrency?: number }): Promise<void> {
    server = await MailServer.listen(options);
    await rail.start(server.url, options);
  }

  it('delivers a mail that a parser reads as it was meant', async () => {
    await start();
    const { id } = await rail.client.enqueue(SendEmail, {
      to: 'ada@example.com',
      template: 'reset',
      data: { name: 'Ada <script>', resetUrl: 'https://acme.example/r?a=1&b=2', expiresIn: '30 minutes' },
    });
    const [mail] = await server.mails(1);
    expect(mail).to.deep.include({
      subject: 'Reset your Acme password',
      messageId: `<${id}@acme.example>`,
      from: { name: 'Acme', address: 'no-reply@acme.example' },
      to: [{ name: '', address: 'ada@example.com' }],
      envelope: { from: 'no-reply@acme.example', to: ['ada@example.com'] },
    });
    expect(mail?.text).to.include('Hi Ada <script>').and.to.include('https://acme.example/r?a=1&b=2');
    expect(mail?.html)
      .to.include('Hi Ada &lt;script&gt;')
      .and.to.include('href="https://acme.example/r?a=1&amp;b=2"');
    const [attempt] = await rail.attemptsOf(id, 1);
    expect(attempt?.outcome.kind).to.equal('completed');
  });

  it('tries again after 451, and delivers under the same Message-ID', async () => {
    const seen: string[] = [];
    await start({
      refuseMail: ({ messageId }) => {
        seen.push(messageId);
        return seen.length <= 2 ? { code: 451, text: '4.7.1 Greylisted, come back later' } : undefined;
      },
    });
    const { id } = await rail.client.enqueue(SendEmail, welcome);
    await server.mails(1);
    expect(seen).to.deep.equal(Array(3).fill(`<${id}@acme.example>`));
    const attempts = await rail.attemptsOf(id, 3);
    expect(attempts.map(({ attempt, outcome }) => [attempt, outcome.kind])).to.deep.equal([
      [1, 'retry'],
      [2, 'retry'],
      [3, 'completed'],
    ]);
    expect(server.received).to.have.length(1);
  });

  it('makes a dead letter of an unknown recipient after one attempt, with the reply of the server', async () => {
    await start({ refuseRecipient: () => ({ code: 550, text: '5.1.1 No such user here' }) });
    const { id } = await rail.client.enqueue(SendEmail, welcome);
    const { headers } = await rail.deadLetterOf(id);
    expect(headers).to.include({ 'x-jobrail-dead-reason': 'fatal', 'x-jobrail-error-name': 'DeliveryError' });
    expect(headers['x-jobrail-error-message']).to.include('It said "550 5.1.1 No such user here" (RCPT TO)');
    expect(rail.attempts.map(({ attempt }) => attempt)).to.deep.equal([1]);
    expect(server.recipientsAsked).to.deep.equal([welcome.to]);
  });

  it('tries again when the connection is refused, and delivers once the server is there', async () => {
    const port = await closedPort();
    await rail.start(`smtp://127.0.0.1:${port}`);
    const { id } = await rail.client.enqueue(SendEmail, welcome);
    const [first] = await rail.attemptsOf(id, 1);
    expect(first?.outcome.kind).to.equal('retry');
    const error = first?.outcome.kind === 'retry' ? first.outcome.error : undefined;
    expect(error).to.be.instanceOf(DeliveryError).and.to.have.property('code', 'SMTP_UNREACHABLE');
    server = await MailServer.listen({ port });
    const [mail] = await server.mails(1);
    expect(mail?.messageId).to.equal(`<${id}@acme.example>`);
  });

  it('attaches a file of the storage byte by byte', async () => {
    await start();
    const bytes = randomBytes(3_000_000);
    await rail.storage.put('reports/2026/airports.xlsx', bytes);
    await rail.client.enqueue(SendEmail, {
      to: 'ada@example.com',
      template: 'report-ready',
      data: { title: 'Airports', format: 'xlsx', rows: 3376 },
      attachments: [{ key: 'reports/2026/airports.xlsx', filename: 'Flughäfen.xlsx' }],
    });
    const [mail] = await server.mails(1);
    expect(mail?.subject).to.equal('Your report is ready: Airports');
    expect(mail?.text)
      .to.match(/attached to this\s+mail/)
      .and.to.include('XLSX, 3,376 rows');
    expect(mail?.attachments).to.have.length(1);
    const [attachment] = mail?.attachments ?? [];
    expect(attachment?.filename).to.equal('Flughäfen.xlsx');
    expect(bytes.equals(Buffer.from(attachment?.content as ArrayBuffer))).to.equal(true);
  });

  it('makes a dead letter of a mail whose attachment is not there, and bothers no server', async () => {
    await start();
    const { id } = await rail.client.enqueue(SendEmail, {
      ...welcome,
      attachments: [{ key: 'reports/none.pdf', filename: 'none.pdf' }],
    });
    const { headers } = await rail.deadLetterOf(id);
    expect(headers).to.include({ 'x-jobrail-dead-reason': 'fatal', 'x-jobrail-error-name': 'StorageError' });
    expect(headers['x-jobrail-error-message']).to.include('reports/none.pdf');
    expect(server.connections).to.equal(0);
  });

  it('makes a dead letter of a mail that lacks a value, naming it', async () => {
    await start();
    const { id } = await rail.client.enqueue(SendEmail, { ...welcome, data: { name: 'Ada' } });
    const { headers } = await rail.deadLetterOf(id);
    expect(headers['x-jobrail-error-name']).to.equal('TemplateError');
    expect(headers['x-jobrail-error-message']).to.include('The mail "welcome" needs data.loginUrl');
    expect(rail.attempts).to.have.length(1);
  });

  it('refuses a bad address when it is enqueued', async () => {
    await start();
    const payload = { ...welcome, to: 'ada@example.com\r\nBcc: eve@example.com' };
    const error: unknown = await rail.client.enqueue(SendEmail, payload).catch((reason: unknown) => reason);
    expect(error).to.include({ code: 'JR_PAYLOAD_INVALID' });
    expect(error).to.have.nested.property('issues[0].path', 'to');
  });

  it('sends a password reset before the rest of a backlog of newsletters', async () => {
    let release: () => void = () => undefined;
    const firstHeld = new Promise<void>((resolve) => (release = resolve));
    let arrived: () => void = () => undefined;
    const firstArrived = new Promise<void>((resolve) => (arrived = resolve));
    await start({
      concurrency: 1,
      refuseMail: async () => {
        arrived();
        await firstHeld;
        return undefined;
      },
    });
    await rail.client.enqueueMany(SendEmail, Array(50).fill(welcome), { priority: priorityOf('welcome') });
    await firstArrived;
    const { id } = await rail.client.enqueue(
      SendEmail,
      {
        ...welcome,
        template: 'reset',
        data: { name: 'Ada', resetUrl: 'https://acme.example/r', expiresIn: '1 hour' },
      },
      { priority: priorityOf('reset') },
    );
    release();
    const mails = await server.mails(51);
    const place = mails.findIndex(({ messageId }) => messageId === `<${id}@acme.example>`);
    // The first was being sent already.
    expect(place).to.equal(1);
  });

  it('gives a mail back untouched when the grace period ends, and another process sends it', async () => {
    let arrived: () => void = () => undefined;
    const inServer = new Promise<void>((resolve) => (arrived = resolve));
    let hold = true;
    server = await MailServer.listen({
      refuseMail: () => {
        if (!hold) return undefined;
        arrived();
        return new Promise(() => undefined); // never answers
      },
    });
    const stopping = await rail.start(server.url, { gracePeriod: '1ms' });
    const { id } = await rail.client.enqueue(SendEmail, welcome);
    await inServer;
    await stopping.stop();
    expect(rail.attempts.map(({ attempt, outcome }) => [attempt, outcome.kind])).to.deep.equal([
      [1, 'released'],
    ]);
    hold = false;
    await rail.start(server.url);
    const [mail] = await server.mails(1);
    expect(mail?.messageId).to.equal(`<${id}@acme.example>`);
    const attempts = await rail.attemptsOf(id, 2);
    expect(attempts[1]).to.include({ attempt: 1 });
    expect(attempts[1]?.outcome.kind).to.equal('completed');
  });
});
