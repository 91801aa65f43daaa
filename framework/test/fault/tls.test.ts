import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { BrokerError, JobClient, type JobClientOptions, JobService, OptionError } from '../../src/index.js';
import { rejection } from '../contract/rejection.js';
import { gate, lone, working } from '../flow/working.js';
import { type Certificate, CertificateAuthority, lockKey, pem } from './certificates.js';
import { startPrivateBroker } from './private-broker.js';

const cli = new URL('../../src/cli/main.js', import.meta.url).pathname;
const contracts = new URL('../fixtures/doctor-contracts.js', import.meta.url).pathname;
const password = 'tls-secret-4711';
const connectTimeout = '1500ms';

describe('TLS', function () {
  this.timeout(120_000);
  let folder: string;
  let authority: CertificateAuthority;
  let stranger: CertificateAuthority;
  let server: Certificate;
  let member: Certificate;
  let ca: Buffer;
  let clients: JobClient[];

  before('make certificates', async () => {
    folder = await mkdtemp(join(tmpdir(), 'jobrail-tls-'));
    [authority, stranger] = await Promise.all([
      CertificateAuthority.make(folder, 'own'),
      CertificateAuthority.make(folder, 'stranger'),
    ]);
    server = await authority.sign('server', 'DNS:localhost');
    member = await authority.sign('member', 'DNS:member');
    ca = await readFile(authority.cert);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  beforeEach(() => (clients = []));
  afterEach(() => Promise.all(clients.map((client) => client.close())));

  const client = (options: JobClientOptions): JobClient => {
    const made = new JobClient({ connectTimeout, ...options });
    clients.push(made);
    return made;
  };

  /** What connecting fails with: a BrokerError that shows no password, wherever it is looked at. */
  async function refusal(options: JobClientOptions): Promise<BrokerError> {
    const error = await rejection(client(options).connect());
    expect(error).to.be.instanceOf(BrokerError).and.have.property('code', 'JR_BROKER_UNREACHABLE');
    for (const text of [error.message, error.stack, JSON.stringify(error)])
      expect(text).to.not.include(password);
    return error as BrokerError;
  }

  /** The tests on a broker with TLS ports; each test gets its URL by name of the host. */
  function onBroker(
    title: string,
    config: string[],
    tests: (at: (host?: string) => string, plain: () => string) => void,
  ): void {
    describe(title, () => {
      let broker: Awaited<ReturnType<typeof startPrivateBroker>>;

      before('start it', async function () {
        broker = await startPrivateBroker((port) => [
          `listeners.ssl.1 = 127.0.0.1:${port}`,
          `ssl_options.cacertfile = ${authority.cert}`,
          `ssl_options.certfile = ${server.cert}`,
          `ssl_options.keyfile = ${server.key}`,
          'ssl_options.verify = verify_peer',
          ...config,
        ]);
        if (!broker) this.skip();
        await broker.ctl(['add_user', 'ada', password]);
        await broker.ctl(['set_permissions', '-p', '/', 'ada', '.*', '.*', '.*']);
      });
      after(() => broker?.stop());

      const at = (host = 'localhost', port = broker!.port) => `amqps://ada:${password}@${host}:${port}`;
      tests(at, () => at('127.0.0.1', Number(new URL(broker!.url).port)));

      it('shows who is connected, and that it is by TLS', async () => {
        await client({ url: at(), tls: { ca, ...(await pem(member)) } }).connect();
        const seen = await broker!.ctl(['list_connections', '--silent', 'user', 'ssl', 'peer_cert_subject']);
        expect(seen.trim().split('\t')).to.deep.equal(['ada', 'true', 'CN=member']);
      });
    });
  }

  onBroker('to a broker of an own authority', ['ssl_options.fail_if_no_peer_cert = false'], (at, plain) => {
    it('carries jobs from a client to a service', async () => {
      const contract = lone('tls-job');
      const { opened, open } = gate();
      const shared = { url: at(), prefix: 'tls', tls: { ca } };
      const service = new JobService({
        ...shared,
        name: 'tls',
        handlers: [working(contract, open)],
        queues: { 'tls-job': {} },
        log: pino({ level: 'silent' }),
      });
      await service.start();
      await client(shared).enqueue(contract, { note: 'x'.repeat(100_000) });
      await opened;
      await service.stop();
    });

    it('is refused when the authority is not known, saying what to give', async () => {
      const error = await refusal({ url: at() });
      expect(error.message).to.match(
        /^No connection to a broker at amqps:\/\/localhost:\d+ within 1500 ms: .*certificate/,
      );
      expect(error.mend).to.match(/signed by an authority .* AMQP_CA_FILE/);
    });

    it('is refused when the authority is another', async () => {
      const error = await refusal({ url: at(), tls: { ca: await readFile(stranger.cert) } });
      expect(error.mend).to.match(/signed by an authority .* AMQP_CA_FILE/);
    });

    it('is refused when the certificate is made out to another host', async () => {
      const error = await refusal({ url: at('127.0.0.1'), tls: { ca } });
      expect(error.message).to.match(/does not match certificate's altnames.*127\.0\.0\.1/);
      expect(error.mend).to.match(/other names: connect by one of them, or name one in tls\.servername/);
    });

    it('stands when the name is given beside the host', async () => {
      await client({ url: at('127.0.0.1'), tls: { ca, servername: 'localhost' } }).connect();
    });

    it('is refused where the password is wrong, as without TLS', async () => {
      const error = await refusal({ url: at().replace(password, `${password}x`), tls: { ca } });
      expect(error.mend).to.match(/^Check user and password/);
    });

    it('is asked for by its port, which a plain connection gets told', async () => {
      const error = await refusal({ url: at().replace('amqps:', 'amqp:') });
      expect(error.mend).to.match(/whether it asks for TLS \(amqps:/);
    });

    it('is refused by a port that does not speak it', async () => {
      const error = await refusal({ url: plain(), tls: { ca } });
      expect(error.mend).to.match(/does not speak TLS/);
    });
  });

  onBroker(
    'to a broker that asks for client certificates',
    ['ssl_options.fail_if_no_peer_cert = true'],
    (at) => {
      it('stands with one that the broker trusts', async () => {
        await client({ url: at(), tls: { ca, ...(await pem(member)) } }).connect();
      });

      it('is refused without one, saying so', async () => {
        const error = await refusal({ url: at(), tls: { ca } });
        expect(error.mend).to.match(/client certificate .* AMQP_CERT_FILE and AMQP_KEY_FILE/);
      });

      it('is refused with one of another authority', async () => {
        const other = await pem(await stranger.sign('intruder', 'DNS:intruder'));
        const error = await refusal({ url: at(), tls: { ca, ...other } });
        expect(error.mend).to.match(/client certificate/);
      });

      describe('by the files that the environment names', () => {
        const environment = () => ({
          AMQP_CA_FILE: authority.cert,
          AMQP_CERT_FILE: member.cert,
          AMQP_KEY_FILE: member.key,
        });
        const untouched = process.env;
        afterEach(() => (process.env = untouched));

        it('a client connects', async () => {
          process.env = { ...untouched, ...environment() };
          await client({ url: at() }).connect();
        });

        it('a key with a passphrase is read', async () => {
          const AMQP_KEY_FILE = await lockKey(member.key, 'open sesame');
          process.env = { ...untouched, ...environment(), AMQP_KEY_FILE, AMQP_KEY_PASSPHRASE: 'open sesame' };
          await client({ url: at() }).connect();
        });

        it('the command line connects, and its help shows no password', async () => {
          const env = { ...process.env, ...environment(), AMQP_URL: at() };
          const run = promisify(execFile);
          const planned = await run(process.execPath, [cli, 'topology', 'plan', contracts], { env });
          expect(planned.stdout).to.match(/^exchange jobrail\.unroutable/);
          const { stdout } = await run(process.execPath, [cli, 'topology', 'plan', '--help'], { env });
          expect(stdout).to.include('--url').and.to.not.include(password);
        });
      });
    },
  );

  describe('with certificates that cannot be used is refused before it connects:', () => {
    const made = (env: NodeJS.ProcessEnv) => {
      const untouched = process.env;
      process.env = { ...untouched, ...env };
      try {
        return new JobClient({ url: 'amqps://localhost' });
      } finally {
        process.env = untouched;
      }
    };

    it('a file that is not there', () => {
      expect(() => made({ AMQP_CA_FILE: '/nowhere/ca.pem' })).to.throw(
        OptionError,
        /^AMQP_CA_FILE cannot be read: ENOENT.*\/nowhere\/ca\.pem/,
      );
    });

    it('a certificate without its key, a key without its certificate', () => {
      expect(() => made({ AMQP_CERT_FILE: member.cert })).to.throw(
        OptionError,
        /^AMQP_CERT_FILE is set without AMQP_KEY_FILE/,
      );
      expect(() => made({ AMQP_KEY_FILE: member.key })).to.throw(
        OptionError,
        /^AMQP_KEY_FILE is set without AMQP_CERT_FILE/,
      );
    });

    it('the key of another certificate', () => {
      expect(() => made({ AMQP_CERT_FILE: member.cert, AMQP_KEY_FILE: server.key })).to.throw(
        OptionError,
        /certificates for the broker cannot be used: .*key values mismatch/,
      );
    });

    it('a file that is no PEM', async () => {
      const file = join(folder, 'text');
      await writeFile(file, 'no certificate');
      expect(() => made({ AMQP_CERT_FILE: file, AMQP_KEY_FILE: member.key })).to.throw(
        OptionError,
        /cannot be used/,
      );
    });

    it('a passphrase that does not open the key', async () => {
      const AMQP_KEY_FILE = await lockKey(member.key, 'open sesame');
      const env = { AMQP_CERT_FILE: member.cert, AMQP_KEY_FILE, AMQP_KEY_PASSPHRASE: 'wrong-passphrase' };
      expect(() => made(env)).to.throw(OptionError, /^(?!.*wrong-passphrase).*cannot be used/);
    });
  });
});
