import { expect } from 'chai';
import { findViolations } from '../../floors.mjs';
import { TemporaryRepository } from '../temporary-repository.mjs';

const framework = JSON.stringify({
  name: 'jobrail',
  exports: { '.': {}, './testing': {} },
  dependencies: { amqplib: '1' },
  devDependencies: { zod: '1' },
});
const email = JSON.stringify({
  name: '@jobrail/email',
  exports: { './jobs': {} },
  dependencies: { jobrail: '1', '@jobrail/media': '1' },
});
const media = JSON.stringify({
  name: '@jobrail/media',
  exports: { './jobs': {} },
  dependencies: { jobrail: '1' },
});
const packages = {
  'package.json': JSON.stringify({ workspaces: ['framework', 'services/*'], devDependencies: { chai: '1' } }),
  'framework/package.json': framework,
  'services/email/package.json': email,
  'services/media/package.json': media,
};

/** A repository that keeps all rules and uses all that they allow. */
const sound = {
  ...packages,
  'framework/src/base/clock.ts': `import { now } from './now.js';`,
  'framework/src/base/now.ts': `import { performance } from 'node:perf_hooks';`,
  'framework/src/model/contract.ts': `import '../base/clock.js';`,
  'framework/src/model/state.ts': ``,
  'framework/src/ports/broker.ts': `import type { Contract } from '../model/contract.js';`,
  'framework/src/adapters/amqp/broker.ts': `import './channel.js'; import '../../ports/broker.js'; import 'amqplib';`,
  'framework/src/adapters/amqp/channel.ts': ``,
  'framework/src/adapters/memory.ts': `import '../ports/broker.js';`,
  'framework/src/filters/trace.ts': `import '../model/contract.js';`,
  'framework/src/runtime/worker.ts': `import './executor.js'; import '../filters/trace.js';`,
  'framework/src/runtime/executor.ts': ``,
  'framework/src/client.ts': `import './adapters/amqp/broker.js';`,
  'framework/src/index.ts': `export * from './client.js'; export { Worker } from './runtime/worker.js';`,
  'framework/src/cli/main.ts': `import '../client.js';`,
  'framework/test/unit/clock.test.ts': `import 'chai'; import 'zod'; import 'jobrail/testing'; import '../../src/base/clock.js';`,
  'services/email/src/main.ts': `import 'jobrail'; import '@jobrail/media/jobs'; import './jobs.js';`,
  'services/email/src/jobs.ts': ``,
  'services/media/src/jobs.ts': `import 'jobrail';`,
};

describe('floors', () => {
  it('finds nothing in a sound repository', async () => {
    expect(await violationsWith({})).to.deep.equal([]);
  });

  /** @type {[what: string, files: Record<string, string>, expected: string | RegExp][]} */
  const violations = [
    [
      'an import of a floor above',
      { 'framework/src/model/contract.ts': `\nimport { Executor } from '../runtime/executor.js';` },
      "framework/src/model/contract.ts:2 imports '../runtime/executor.js': floor 1 (model) imports floor 4 (runtime); expected a floor below its own",
    ],
    [
      'a type import of a floor above',
      { 'framework/src/base/now.ts': `import type { State } from '../model/state.js';` },
      /floor 0 \(base\) imports floor 1 \(model\)/,
    ],
    [
      'an import() type of a floor above',
      { 'framework/src/base/now.ts': `export type S = import('../model/state.js').State;` },
      /floor 0 \(base\) imports floor 1 \(model\)/,
    ],
    [
      'a dynamic import of a floor above',
      { 'framework/src/ports/broker.ts': `export const load = () => import('../adapters/amqp/channel.js');` },
      /floor 2 \(ports\) imports floor 3 \(adapters\/amqp\)/,
    ],
    [
      'a re-export of a floor above',
      { 'framework/src/runtime/executor.ts': `export { JobClient } from '../client.js';` },
      /floor 4 \(runtime\) imports floor 5 \(top\)/,
    ],
    [
      'an adapter that knows another',
      { 'framework/src/adapters/memory.ts': `import './amqp/channel.js';` },
      "framework/src/adapters/memory.ts:1 imports './amqp/channel.js': adapters/memory imports adapters/amqp, both on floor 3; what both need belongs on a floor below",
    ],
    [
      'a filter that knows another',
      { 'framework/src/filters/events.ts': `import './trace.js';` },
      /filters\/events imports filters\/trace, both on floor 3/,
    ],
    [
      'a filter that knows an adapter',
      { 'framework/src/filters/events.ts': `import '../adapters/memory.js';` },
      /filters\/events imports adapters\/memory/,
    ],
    [
      'the top using the command line',
      { 'framework/src/service.ts': `import './cli/main.js';` },
      /top imports cli, both on floor 5/,
    ],
    [
      'a folder without a floor',
      { 'framework/src/utils/strings.ts': `` },
      /^framework\/src\/utils\/strings\.ts is on no floor; expected one of base\/ .* or the top of framework\/src\/$/,
    ],
    [
      'its own package by name, past the floors',
      { 'framework/src/model/job.ts': `import 'jobrail';` },
      /imports 'jobrail': its own package; import the file/,
    ],
    [
      'a circle',
      {
        'framework/src/base/now.ts': `import './later.js';`,
        'framework/src/base/later.ts': `import './clock.js';`,
      },
      'import cycle: framework/src/base/clock.ts\n  → framework/src/base/now.ts\n  → framework/src/base/later.ts\n  → framework/src/base/clock.ts',
    ],
    [
      'a circle of types in a service',
      { 'services/email/src/jobs.ts': `import type { Main } from './main.js';` },
      /^import cycle: services\/email\/src\/(jobs|main)\.ts/,
    ],
    [
      'a file that imports itself',
      { 'services/media/src/jobs.ts': `import './jobs.js';` },
      /^import cycle: services\/media/,
    ],
    [
      "a path into another package's source",
      { 'services/email/src/jobs.ts': `import '../../media/src/jobs.js';` },
      "services/email/src/jobs.ts:1 imports '../../media/src/jobs.js': a path into another package; import it by an export of @jobrail/media (@jobrail/media/jobs)",
    ],
    [
      "a path into the framework's source, from a test",
      { 'services/email/test/a.test.ts': `import '../../../framework/src/base/clock.js';` },
      /a path into another package; import it by an export of jobrail \(jobrail, jobrail\/testing\)/,
    ],
    [
      'a part of another package that it does not export',
      { 'services/email/src/jobs.ts': `import '@jobrail/media/src/main.js';` },
      /@jobrail\/media does not export it; its package.json exports @jobrail\/media\/jobs/,
    ],
    [
      'a package of the repository that is not among the dependencies',
      { 'services/media/src/jobs.ts': `import '@jobrail/email/jobs';` },
      /@jobrail\/email is not among the dependencies of services\/media\/package\.json: npm install -w services\/media/,
    ],
    [
      'a package that only the tests have',
      { 'framework/src/model/job.ts': `import 'zod/v4';` },
      /zod is not among the dependencies of framework\/package\.json/,
    ],
    [
      'a scoped package that nobody names',
      { 'framework/test/unit/clock.test.ts': `import '@scope/name/part';` },
      /@scope\/name is not among the devDependencies of framework\/package\.json/,
    ],
    [
      'the build',
      { 'services/media/src/main.ts': `import '../dist/src/jobs.js';` },
      /dist is what the build makes/,
    ],
    [
      'source that uses a test',
      { 'services/media/src/main.ts': `import '../test/files.js';` },
      /outside of src/,
    ],
    [
      'a path out of the package',
      { 'services/media/src/main.ts': `import '../../../scripts/x.mjs';` },
      /it leaves the package @jobrail\/media/,
    ],
    [
      'a part of Node without node:',
      { 'services/media/src/main.ts': `import 'fs/promises';` },
      /is written node:fs\/promises/,
    ],
  ];
  for (const [what, files, expected] of violations) {
    it(`finds ${what}`, async () => {
      const found = await violationsWith(files);
      expect(found).to.have.lengthOf(1);
      if (typeof expected === 'string') expect(found[0]).to.equal(expected);
      else expect(found[0]).to.match(expected);
    });
  }

  it('does not take the word import in text and comments for one', async () => {
    const text = `// import '../runtime/worker.js';\nexport const help = "import '../runtime/worker.js'";`;
    expect(await violationsWith({ 'framework/src/base/now.ts': text })).to.deep.equal([]);
  });
});

/**
 * @param {Record<string, string>} files Over those of the sound repository.
 * @returns {Promise<string[]>}
 */
async function violationsWith(files) {
  const repository = await TemporaryRepository.create({ ...sound, ...files });
  try {
    return findViolations(repository.root);
  } finally {
    await repository.remove();
  }
}
