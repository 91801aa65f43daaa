import { expect } from 'chai';
import { findTestFiles, selectTestFiles } from '../../test-files.mjs';
import { TemporaryRepository } from '../temporary-repository.mjs';

describe('the test files', () => {
  /** @type {TemporaryRepository} */
  let repository;
  /** @type {import('../../test-files.mjs').TestFile[]} */
  let files;

  before(async () => {
    repository = await TemporaryRepository.create({
      'package.json': `{ "workspaces": ["framework", "services/*", "tools"] }`,
      'framework/package.json': `{}`,
      'services/email/package.json': `{}`,
      'services/reports/package.json': `{}`,
      'framework/test/unit/retry.test.ts': `const url = config.AMQP_URL;`,
      'framework/test/flow/retry.test.ts': `import { rail } from '../rail.js';`,
      'framework/test/flow/memory.test.ts': ``,
      'framework/test/rail.ts': `import './url.js';\nimport { rail } from './rail.js';`,
      'framework/test/url.ts': `export const url = process.env.AMQP_URL;`,
      'framework/dist/test/flow/removed-last-week.test.js': ``,
      'services/email/test/flow/send.test.ts': `const rail = isolatedRail();`,
      'services/reports/test/flow/table.test.ts': `process.env.DATABASE_URL`,
      'services/api/package.json': `{}`,
      'scripts/test/unit/floors.test.mjs': ``,
    });
    files = await findTestFiles(repository.root);
  });

  after(() => repository.remove());

  /** @param {string[]} filters */
  const select = (...filters) => selectTestFiles(files, filters).map(({ source }) => source);

  it('are those that have a source, in their compiled form', () => {
    expect(files.map(({ file }) => file)).to.deep.equal([
      'framework/dist/test/flow/memory.test.js',
      'framework/dist/test/flow/retry.test.js',
      'framework/dist/test/unit/retry.test.js',
      'services/email/dist/test/flow/send.test.js',
      'services/reports/dist/test/flow/table.test.js',
      'scripts/test/unit/floors.test.mjs',
    ]);
  });

  it('of test/unit are unit tests, which need no server whatever they mention', () => {
    const unit = files.filter((file) => file.unit);
    expect(unit.map(({ source }) => source)).to.deep.equal([
      'framework/test/unit/retry.test.ts',
      'scripts/test/unit/floors.test.mjs',
    ]);
    expect(unit.some((file) => file.needsRabbitmq || file.needsPostgres)).to.equal(false);
  });

  it('need the servers that they name, or that what they import names', () => {
    const named = (/** @type {'needsRabbitmq' | 'needsPostgres'} */ need) =>
      files.filter((file) => file[need]).map(({ source }) => source);
    expect(named('needsRabbitmq')).to.deep.equal([
      'framework/test/flow/retry.test.ts',
      'services/email/test/flow/send.test.ts',
    ]);
    expect(named('needsPostgres')).to.deep.equal(['services/reports/test/flow/table.test.ts']);
  });

  it('are selected by workspace, under each of its names', () => {
    for (const name of ['framework', 'framework/', './framework', 'jobrail']) {
      expect(select(name), name).to.have.lengthOf(3);
    }
    for (const name of ['email', 'services/email', '@jobrail/email']) {
      expect(select(name), name).to.deep.equal(['services/email/test/flow/send.test.ts']);
    }
  });

  it('are selected by a part of the path', () => {
    expect(select('test/flow/retry')).to.deep.equal(['framework/test/flow/retry.test.ts']);
    expect(select('email', 'scripts/test/unit/floors.test.mjs')).to.deep.equal([
      'services/email/test/flow/send.test.ts',
      'scripts/test/unit/floors.test.mjs',
    ]);
  });

  it('that a filter misses are an error that names the workspaces', () => {
    expect(() => select('emial')).to.throw(
      '"emial" matches no test file; expected part of a path or one of: framework, services/email, services/reports, scripts.',
    );
  });
});
