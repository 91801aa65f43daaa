import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { QueryCatalogue } from '../../src/source/query-catalogue.js';
import { failureOf, reportError } from '../failure-of.js';

describe('QueryCatalogue', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'jobrail-queries-'));
    await mkdir(join(folder, 'queries'));
    await writeFile(join(folder, 'secret.sql'), 'select password from users');
    await writeFile(join(folder, 'queries', 'monthly-sales.sql'), '\nselect 1\n');
    await writeFile(join(folder, 'queries', 'README.md'), 'not a query');
  });

  afterEach(() => rm(folder, { recursive: true }));

  const load = (): Promise<QueryCatalogue> => QueryCatalogue.fromFolder(join(folder, 'queries'));

  it('has the queries of its folder by name', async () => {
    expect((await load()).sql('monthly-sales')).to.equal('select 1');
  });

  for (const name of [
    '../secret',
    '/etc/passwd',
    'README',
    'monthly-sales.sql',
    '__proto__',
    'constructor',
    '',
    'a\u0000b',
  ]) {
    it(`gives nothing for ${JSON.stringify(name)}`, async () => {
      const catalogue = await load();
      const error = await reportError(
        'QUERY_UNKNOWN',
        Promise.resolve().then(() => catalogue.sql(name)),
      );
      expect(error.message).to.include(JSON.stringify(name)).and.include('Name one of: monthly-sales');
    });
  }

  it('says what to set when there are none', async () => {
    const none = new QueryCatalogue(new Map());
    const error = await reportError(
      'QUERY_UNKNOWN',
      Promise.resolve().then(() => none.sql('a')),
    );
    expect(error.mend).to.include('REPORTS_QUERIES');
  });

  it('refuses a file that no job could name, an empty one, and a folder that is not there', async () => {
    await writeFile(join(folder, 'queries', 'Sales 2024.sql'), 'select 1');
    expect(await failureOf(load()))
      .to.have.property('message')
      .that.includes('"Sales 2024.sql"');
    await rm(join(folder, 'queries', 'Sales 2024.sql'));
    await writeFile(join(folder, 'queries', 'empty.sql'), ' \n');
    expect(await failureOf(load()))
      .to.have.property('message')
      .that.includes('"empty.sql"')
      .and.includes('is empty');
    expect(await failureOf(QueryCatalogue.fromFolder(join(folder, 'nowhere')))).to.have.property(
      'code',
      'ENOENT',
    );
  });
});
