import { readFile } from 'node:fs/promises';
import { expect } from 'chai';

const root = new URL('../../../../', import.meta.url);

describe('docs/troubles.md', () => {
  it('answers seventeen troubles, each with tests that exist under these titles', async () => {
    const page = await readFile(new URL('docs/troubles.md', root), 'utf8');
    const troubles = page.split('\n').filter((line) => /^\| \d+\. /.test(line));
    expect(troubles).to.have.length(17);
    for (const trouble of troubles) {
      const named = [...trouble.matchAll(/`([\w/.-]+\.ts)` › (.+?)(?=<br>|\s*\|$)/g)];
      expect(named, trouble).to.not.deep.equal([]);
      for (const [, file, title] of named) {
        const source = await readFile(new URL(file!, root), 'utf8');
        expect(source.includes(title!.trim()), `${file} has no test "${title!.trim()}"`).to.equal(true);
      }
    }
  });
});
