import { expect } from 'chai';
import { readArguments } from '../../test-arguments.mjs';

describe('the arguments of npm test', () => {
  it('are none by default', () => {
    expect(readArguments([])).to.deep.equal({
      filters: [],
      unitOnly: false,
      coverage: false,
      mochaOptions: [],
    });
  });

  it('tell its own options, filters and what is for mocha apart', () => {
    const args = [
      'framework',
      '--unit',
      '--grep',
      'dead letter',
      '--bail',
      '--timeout=0',
      '--coverage',
      'test/flow',
    ];
    expect(readArguments(args)).to.deep.equal({
      filters: ['framework', 'test/flow'],
      unitOnly: true,
      coverage: true,
      mochaOptions: ['--grep', 'dead letter', '--bail', '--timeout=0'],
    });
  });

  it('leave it to mocha to complain of a --grep without a value', () => {
    expect(readArguments(['-g']).mochaOptions).to.deep.equal(['-g']);
  });
});
