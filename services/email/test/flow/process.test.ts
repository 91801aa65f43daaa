import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { SendEmail } from '../../src/jobs.js';
import { EmailRail } from '../email-rail.js';
import { MailServer } from '../mail-server.js';

const root = fileURLToPath(new URL('../../../../../', import.meta.url));
const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));

describe('the email service as a process', function () {
  this.timeout(60_000);
  let rail: EmailRail;
  let server: MailServer;
  let child: ChildProcess;

  before(function () {
    if (!process.env['AMQP_URL'] && !process.env['CI']) this.skip();
  });

  beforeEach(async () => {
    rail = await EmailRail.open();
    server = await MailServer.listen();
  });

  afterEach(async () => {
    endGroup(child);
    await server.close();
    await rail.close();
  });

  function run(command: string, args: string[], environment: Record<string, string>): ChildProcess {
    child = spawn(command, args, {
      cwd: root,
      env: { PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a process group of its own, so that a test that fails leaves nothing behind
    });
    return child;
  }

  it('starts by itself, sends a mail, and ends with exit code 0 on SIGTERM', async () => {
    const service = run('npm', ['start', '-w', 'services/email'], rail.environment(server.url));
    const output = text(service.stdout!);
    const { id } = await rail.client.enqueue(SendEmail, {
      to: 'ada@example.com',
      template: 'welcome',
      data: { name: 'Ada', loginUrl: 'https://acme.example/login' },
    });
    const [mail] = await server.mails(1);
    expect(mail?.messageId).to.equal(`<${id}@acme.example>`);
    service.kill('SIGTERM');
    expect(await exitCode(service)).to.equal(0);
    expect(await output)
      .to.include('mail sent')
      .and.to.include(id);
  });

  it('ends the start with an error that names what is wrong', async () => {
    const { SMTP_URL: _, ...environment } = rail.environment(server.url);
    const service = run(process.execPath, [main], environment);
    const [errors, code] = await Promise.all([text(service.stderr!), exitCode(service)]);
    expect(code).to.equal(1);
    expect(errors).to.include('Environment variable SMTP_URL is not set. Set it to a URL such as');
  });

  it('ends the start when the templates are not there', async () => {
    const environment = { ...rail.environment(server.url), TEMPLATES_DIR: '/nowhere' };
    const service = run(process.execPath, [main], environment);
    const [errors, code] = await Promise.all([text(service.stderr!), exitCode(service)]);
    expect(code).to.equal(1);
    expect(errors).to.include('The template folder /nowhere cannot be read');
  });
});

async function exitCode(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}

function endGroup(leader: ChildProcess): void {
  try {
    process.kill(-leader.pid!, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
