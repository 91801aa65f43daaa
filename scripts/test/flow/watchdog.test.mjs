import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { OwnedProcess } from '../../owned-process.mjs';
import { comesTrue, isGone, isRunning, processesNaming } from '../process-watch.mjs';
/** @import { Readable } from 'node:stream' */

/** Owns a process that starts another one, a stubborn process, and a folder; then tells their names. */
const OWNER = `
  import { OwnedProcess } from '${new URL('../../owned-process.mjs', import.meta.url).href}';
  import { guardByCommand, guardFolder, releaseFolder } from '${new URL('../../watchdog.mjs', import.meta.url).href}';
  const [folder, kept, mark] = process.argv.slice(1);
  guardFolder(folder);
  guardFolder(kept);
  releaseFolder(kept);
  guardByCommand(['touch', mark]);
  const family = await OwnedProcess.start('sh', ['-c', 'sleep 1000 & sleep 1000; true', folder]);
  const stubborn = await OwnedProcess.start('sh', ['-c', 'trap "" QUIT; echo stubborn is ready; while :; do sleep 1; done', folder], { lastSignal: 'SIGQUIT' });
  console.log('owner is ready');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  process.exit();
`;

describe('a process that owns others', function () {
  this.timeout(30_000);
  /** @type {string} */ let base;
  /** @type {string} */ let folder;
  /** @type {import('node:child_process').ChildProcess} */ let owner;

  beforeEach(async () => {
    base = mkdtempSync(join(tmpdir(), 'jobrail-watchdog-test-'));
    folder = mkdtempSync(join(base, 'own-'));
    const args = [
      '--input-type=module',
      '--eval',
      OWNER,
      folder,
      mkdtempSync(join(base, 'kept-')),
      join(base, 'mark'),
    ];
    owner = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const expected = new Set(['owner is ready', 'stubborn is ready']);
    for await (const line of createInterface({ input: /** @type {Readable} */ (owner.stdout) })) {
      expected.delete(line);
      if (expected.size === 0) break;
    }
    expect(processesNaming(folder)).to.have.lengthOf.at.least(3);
  });

  afterEach(() => {
    owner.kill('SIGKILL');
    rmSync(base, { recursive: true, force: true });
  });

  for (const [how, end] of /** @type {[string, () => void][]} */ ([
    ['SIGKILL', () => owner.kill('SIGKILL')],
    ['Ctrl-C', () => owner.kill('SIGINT')],
    ['process.exit', () => owner.stdin?.write('exit')],
  ])) {
    it(`leaves no process and no folder when it ends by ${how}`, async () => {
      const exited = once(owner, 'exit');
      end();
      await exited;
      expect(await comesTrue(() => processesNaming(folder).length === 0), 'processes').to.equal(true);
      expect(await comesTrue(isGone(folder)), 'folder').to.equal(true);
      expect(await comesTrue(() => existsSync(join(base, 'mark'))), 'command').to.equal(true);
    });
  }
});

describe('OwnedProcess', () => {
  it('takes what it started in its group along', async () => {
    const shell = await OwnedProcess.start('sh', ['-c', 'sleep 1000 & exit 3']);
    expect(await shell.exited).to.deep.equal({ code: 3, signal: null });
    expect(shell.running).to.equal(false);
    expect(await comesTrue(() => processesInGroup(shell.pid) === 0)).to.equal(true);
  });

  it('is killed when it does not end in time', async () => {
    const shell = await OwnedProcess.start('sh', ['-c', 'trap "" TERM; while :; do sleep 1; done']);
    await shell.end('SIGTERM', 50);
    expect((await shell.exited).signal).to.be.oneOf(['SIGKILL', 'SIGTERM']);
    expect(isRunning(shell.pid)).to.equal(false);
  });

  it('that cannot be started says so', async () => {
    const failure = await OwnedProcess.start('/no/such/program', []).catch(
      (/** @type {unknown} */ error) => error,
    );
    expect(failure).to.have.property('code', 'ENOENT');
  });
});

/** @param {number} group */
function processesInGroup(group) {
  try {
    process.kill(-group, 0);
    return 1;
  } catch {
    return 0;
  }
}
