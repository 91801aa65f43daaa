import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { comesTrue, processesNaming } from '../process-watch.mjs';
import { TemporaryRepository } from '../temporary-repository.mjs';

const PASSING = `it('passes', () => {});`;
const NO_SERVERS = { JOBRAIL_BROKER: 'none', JOBRAIL_POSTGRES: 'none' };

describe('npm test', function () {
  this.timeout(60_000);
  this.slow(15_000);
  /** @type {TemporaryRepository} */
  let repository;

  afterEach(() => repository.remove());

  /** @param {Record<string, string>} tests By the path below test/. */
  async function repositoryWith(tests) {
    const files = Object.entries(tests).map(([path, text]) => [`services/one/test/${path}.test.mjs`, text]);
    repository = await TemporaryRepository.create({
      'package.json': `{ "private": true, "workspaces": ["services/*"] }`,
      'services/one/package.json': `{ "name": "@jobrail/one" }`,
      ...Object.fromEntries(files),
    });
    await repository.addScripts();
  }

  /**
   * @param {string[]} args
   * @param {NodeJS.ProcessEnv} env
   */
  const npmTest = (args = [], env = {}) =>
    repository.run(['scripts/test.mjs', 'one', ...args], { ...NO_SERVERS, ...env });

  it('ends with the sum over unit tests and all others, alone on the last line', async () => {
    await repositoryWith({
      'unit/a': `${PASSING} it('waits for its time');`,
      'flow/b': `${PASSING} it('passes too', () => {});`,
    });
    const { code, lines } = await npmTest();
    expect(lines.at(-1)).to.equal('3 passed, 0 failed, 1 skipped');
    expect(lines.findIndex((line) => line.startsWith('unit: '))).to.be.lessThan(
      lines.findIndex((line) => line.startsWith('services/one: ')),
    );
    expect(code).to.equal(0);
  });

  it('runs only the unit tests with --unit, and only what --grep names', async () => {
    await repositoryWith({
      'unit/a': `${PASSING} it('is chosen', () => {});`,
      'flow/b': `it('is chosen', () => {});`,
    });
    expect((await npmTest(['--unit'])).lines.at(-1)).to.equal('2 passed, 0 failed, 0 skipped');
    expect((await npmTest(['--unit', '--grep', 'chosen'])).lines.at(-1)).to.equal(
      '1 passed, 0 failed, 0 skipped',
    );
  });

  it('fails with a test that fails, and names it at the end', async () => {
    await repositoryWith({ 'unit/a': `${PASSING} it('fails', () => { throw new Error('seen'); });` });
    const { code, lines, errors } = await npmTest();
    expect(lines.at(-1)).to.equal('1 passed, 1 failed, 0 skipped');
    expect(errors).to.include('Failed: fails: seen');
    expect(code).to.equal(1);
  });

  it('fails when no test was run', async () => {
    await repositoryWith({ 'unit/a': PASSING });
    const { code, lines, errors } = await npmTest(['--grep', 'nothing is called so']);
    expect(lines.at(-1)).to.equal('0 passed, 0 failed, 0 skipped');
    expect(errors).to.include('No test was run.');
    expect(code).to.equal(1);
  });

  it('counts a file that cannot be loaded as failed, and runs the others', async () => {
    await repositoryWith({ 'unit/a': `import './missing.mjs';`, 'flow/b': PASSING });
    const { code, lines, errors } = await npmTest();
    expect(lines.at(-1)).to.equal('1 passed, 1 failed, 0 skipped');
    expect(errors).to.include('unit: mocha ended with 1 before its last test; counted as one failed.');
    expect(code).to.equal(1);
  });

  it('counts what a test leaves open as failed, and names it', async () => {
    await repositoryWith({
      'unit/a': `import { createServer } from 'node:net'; it('listens', () => void createServer().listen(0));`,
    });
    const { code, lines, errors } = await npmTest();
    expect(lines.at(-1)).to.equal('1 passed, 1 failed, 0 skipped');
    expect(errors).to.match(/keeps the process alive: .*TCPServerWrap ×1/);
    expect(code).to.equal(1);
  });

  describe('without a broker', () => {
    const needing = {
      'flow/a': `
        describe('a job', () => {
          before(() => { throw new Error('connects to ' + process.env.AMQP_URL); });
          it('is done', () => {});
          it('is retried', () => {});
        });`,
      'flow/b': PASSING,
    };

    it('skips the tests that need one, by name', async () => {
      await repositoryWith(needing);
      const { code, lines } = await npmTest();
      expect(lines).to.include('  - a job is done (skipped: no RabbitMQ)');
      expect(lines).to.include('  - a job is retried (skipped: no RabbitMQ)');
      expect(lines.at(-1)).to.equal('1 passed, 0 failed, 2 skipped');
      expect(lines.join('\n')).to.match(/No RabbitMQ: .*Set AMQP_URL, install rabbitmq-server/);
      expect(code).to.equal(0);
    });

    it('fails them in CI', async () => {
      await repositoryWith(needing);
      const { code, lines } = await npmTest([], { CI: 'true' });
      expect(lines.at(-1)).to.equal('1 passed, 2 failed, 0 skipped');
      expect(code).to.equal(1);
    });

    it('fails in CI without a database too, though the tests skip themselves', async () => {
      await repositoryWith({
        'flow/a': `${PASSING} it('asks', function () { if (!process.env.DATABASE_URL) this.skip(); });`,
      });
      const { code, lines, errors } = await npmTest([], { CI: 'true' });
      expect(lines.at(-1)).to.equal('1 passed, 0 failed, 1 skipped');
      expect(errors).to.include('No PostgreSQL');
      expect(code).to.equal(1);
    });
  });

  it('passes on the servers that it is given', async () => {
    await repositoryWith({
      'flow/a': `it('sees ' + process.env.AMQP_URL + ' ' + process.env.DATABASE_URL, () => {});`,
    });
    const { lines } = await npmTest([], { AMQP_URL: 'amqp://given', DATABASE_URL: 'postgres://given' });
    expect(lines.join('\n')).to.include('✔ sees amqp://given postgres://given');
  });

  for (const [signal, expected] of /** @type {const} */ ([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])) {
    it(`ends on ${signal} with its tests and all that they started`, async () => {
      await repositoryWith({
        'flow/a': `
          import { spawn } from 'node:child_process';
          import { mkdtempSync } from 'node:fs';
          import { tmpdir } from 'node:os';
          it('hangs', async function () {
            this.timeout(0);
            spawn('sleep', ['1000'], { cwd: import.meta.dirname, env: { ...process.env, MARK: import.meta.dirname } });
            console.log('hanging in ' + mkdtempSync(tmpdir() + '/left-'));
            await new Promise((resolve) => setTimeout(resolve, 1e6));
          });`,
      });
      const child = repository.start(['scripts/test.mjs', 'one'], NO_SERVERS);
      child.stderr.resume();
      const exited = once(child, 'exit');
      let folder = '';
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (!line.startsWith('hanging in ')) return;
        folder = line.slice('hanging in '.length);
        child.kill(signal);
      });
      expect(await exited).to.deep.equal([expected, null]);
      expect(existsSync(folder), folder).to.equal(false);
      expect(await comesTrue(() => processesNaming(repository.root).length === 0)).to.equal(true);
    });
  }
});
