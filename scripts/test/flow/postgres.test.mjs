import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { startPostgres } from '../../postgres.mjs';
import { findPrograms, findVersions } from '../../search-path.mjs';
import { Unavailable } from '../../unavailable.mjs';
import { comesTrue, isGone, processesNaming } from '../process-watch.mjs';
/** @import { Postgres } from '../../postgres.mjs' */

describe('a private PostgreSQL', function () {
  this.timeout(60_000);
  this.slow(10_000);
  /** @type {Postgres} */
  let postgres;

  before(async function () {
    try {
      postgres = await startPostgres();
    } catch (error) {
      if (process.env.CI || !(error instanceof Unavailable)) throw error;
      this.skip();
    }
  });
  after(() => postgres?.stop());

  it('keeps its data and its port through a crash', async () => {
    const { url } = postgres;
    await query(url, 'create table survivor as select 42 as answer');
    await postgres.kill();
    expect(postgres.pid).to.equal(undefined);
    await postgres.start();
    expect(postgres.url).to.equal(url);
    expect(await query(url, 'select answer from survivor')).to.equal('42');
  });

  it('is gone after stop, with its folder', async () => {
    const { folder } = postgres;
    expect(processesNaming(folder)).to.have.lengthOf.at.least(1);
    await postgres.stop();
    await postgres.stop();
    expect(await comesTrue(() => processesNaming(folder).length === 0)).to.equal(true);
    expect(existsSync(folder)).to.equal(false);
  });

  it('is gone when its owner is killed', async () => {
    const script = `
      import { startPostgres } from '${new URL('../../postgres.mjs', import.meta.url).href}';
      console.log((await startPostgres()).folder);
      process.stdin.resume();`;
    const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [chunk] = /** @type {[Buffer]} */ (await once(owner.stdout, 'data'));
    const folder = chunk.toString().trim();
    expect(processesNaming(folder)).to.have.lengthOf.at.least(1);
    owner.kill('SIGKILL');
    expect(await comesTrue(() => processesNaming(folder).length === 0), 'processes').to.equal(true);
    expect(await comesTrue(isGone(folder)), 'folder').to.equal(true);
  });
});

/**
 * @param {string} url
 * @param {string} sql
 * @returns {Promise<string>} What psql prints, bare.
 */
async function query(url, sql) {
  const installed = [
    ...(await findPrograms('psql')),
    ...(await findVersions('/usr/lib/postgresql', '', '/bin/psql')),
  ];
  const { stdout } = await promisify(execFile)(installed[0] ?? 'psql', ['-X', '-A', '-t', '-c', sql, url]);
  return stdout.trim();
}
