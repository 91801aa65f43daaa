import { expect } from 'chai';
import { createTestRail, type TestRail } from 'jobrail/testing';
import { readConfig } from '../../src/config.js';
import { emailModule } from '../../src/email-module.js';
import { SendEmail } from '../../src/jobs.js';
import { Mailer } from '../../src/mailer.js';
import { SendEmailHandler } from '../../src/send-email.js';
import { MailServer, type MailServerOptions } from '../mail-server.js';

const welcome = {
  to: 'ada@example.com',
  template: 'welcome' as const,
  data: { name: 'Ada', loginUrl: 'https://acme.example/login' },
};

describe('email.send over time, on the memory broker and a real SMTP server', () => {
  let server: MailServer;
  let mailer: Mailer;
  let rail: TestRail;

  async function start(options: MailServerOptions): Promise<void> {
    server = await MailServer.listen(options);
    const config = readConfig({
      AMQP_URL: 'amqp://unused',
      SMTP_URL: server.url,
      MAIL_FROM: 'no-reply@acme.example',
      STORAGE_URL: 'file:unused',
    });
    mailer = new Mailer({ smtpUrl: config.smtpUrl, from: config.from, connections: 1 });
    rail = await createTestRail({ handlers: [SendEmailHandler], modules: [emailModule(config, mailer)] });
  }

  afterEach(async () => {
    await rail.close();
    mailer.close();
    await server.close();
  });

  it('outlasts greylisting of five minutes', async () => {
    let openFrom = Infinity;
    await start({
      refuseRecipient: () =>
        rail.clock.now() < openFrom ? { code: 451, text: '4.7.1 Come back in five minutes' } : undefined,
    });
    openFrom = rail.clock.now() + 5 * 60_000;
    await rail.enqueue(SendEmail, welcome);
    await rail.drain();
    expect(rail.completed).to.have.length(1);
    expect(rail.dead).to.have.length(0);
    expect(server.received).to.have.length(1);
  });

  it('gives up after 15 attempts within 125 minutes, keeping the last reply', async () => {
    await start({ refuseMail: () => ({ code: 452, text: '4.2.2 Mailbox full' }) });
    await rail.enqueue(SendEmail, welcome);
    await rail.drain();
    expect(rail.attempts.map(({ attempt }) => attempt)).to.deep.equal(
      Array.from({ length: 15 }, (_, index) => index + 1),
    );
    const [dead] = rail.dead;
    expect(dead?.outcome).to.include({ kind: 'dead', reason: 'retries-exhausted' });
    expect(dead?.outcome.kind === 'dead' && dead.outcome.error).to.include({
      reply: '452 4.2.2 Mailbox full',
    });
    expect(dead!.at.getTime() - rail.attempts[0]!.at.getTime()).to.be.below(125 * 60_000);
  });

  it('hangs up on a server that takes the mail and is silent for 30 seconds, and tries again', async () => {
    let answer = false;
    let arrived: () => void = () => undefined;
    const inServer = new Promise<void>((resolve) => (arrived = resolve));
    await start({
      refuseMail: () => {
        if (answer) return undefined;
        arrived();
        return new Promise(() => undefined);
      },
    });
    await rail.enqueue(SendEmail, welcome);
    await inServer;
    answer = true;
    await rail.advance(30_000);
    await rail.drain();
    expect(rail.attempts.map(({ outcome }) => outcome.kind)).to.deep.equal(['retry', 'completed']);
    const [first] = rail.retried;
    expect(first?.outcome.kind === 'retry' && first.outcome.error).to.include({ code: 'JR_ATTEMPT_TIMEOUT' });
    expect(server.received).to.have.length(1);
  });
});
