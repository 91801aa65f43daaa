import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { ROOT } from '../../bring-up.mjs';
import { comesTrue, processesNaming } from '../process-watch.mjs';

describe('npm run demo', function () {
  this.timeout(120_000);
  this.slow(30_000);
  /** Of the demo alone, so that it names each process that it starts. @type {string} */
  let folder;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'jobrail-demo-test-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /**
   * @param {string[]} args
   * @param {NodeJS.ProcessEnv} env
   */
  function start(args, env) {
    const child = spawn(process.execPath, ['scripts/demo.mjs', ...args], {
      cwd: ROOT,
      env: { ...process.env, TMPDIR: folder, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return { child, lines: createInterface({ input: child.stdout }), ended: once(child, 'close') };
  }

  /** @param {NodeJS.ProcessEnv} env @returns {Promise<{ code: unknown, output: string }>} */
  async function runOnce(env) {
    const { lines, ended } = start(['--once'], env);
    let output = '';
    lines.on('line', (line) => (output += `${line}\n`));
    const [code] = /** @type {unknown[]} */ (await ended);
    return { code, output };
  }

  const nothingLeft = () => comesTrue(() => processesNaming(folder).length === 0);

  it('finds all as it must be with four processes on RabbitMQ, and leaves none', async () => {
    const { code, output } = await runOnce({ AMQP_URL: process.env.AMQP_URL });
    expect(code, output).to.equal(0);
    expect(output).to.match(/broker +RabbitMQ .* \(the one of AMQP_URL\)/);
    expect(output).to.contain('5 spans of api, reports, email');
    expect(await nothingLeft()).to.equal(true);
  });

  it('does so in one process where no RabbitMQ can be had, and says it', async () => {
    const { code, output } = await runOnce({ AMQP_URL: '', JOBRAIL_BROKER: 'none' });
    expect(code, output).to.equal(0);
    expect(output).to.match(/broker +in the memory of this process\. No RabbitMQ:/);
    expect(output).to.contain('5 spans all made in this one process');
  });

  it('ends when told to in the middle, with the code of the signal, and leaves no process', async () => {
    const { child, lines, ended } = start(['--once'], { AMQP_URL: process.env.AMQP_URL });
    for await (const line of lines) if (line.includes('password reset  ')) break;
    child.kill('SIGTERM');
    child.stdout.resume();
    const [code] = /** @type {unknown[]} */ (await ended);
    expect(code).to.equal(143);
    expect(await nothingLeft()).to.equal(true);
  });
});
