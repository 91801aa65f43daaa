import { expect } from 'chai';
import { readdir, readFile } from 'node:fs/promises';
import { errorCodes } from '../../src/index.js';
import { readPage } from './examples.js';

describe('docs/reference/errors.md', () => {
  /** Rows of the table: code, when, what to do. */
  async function rows(): Promise<string[][]> {
    const page = await readPage('docs/reference/errors.md');
    return [...page.matchAll(/^\| `(JR_\w+)`\s*\|(.*)\|(.*)\|$/gm)].map(([, ...cells]) =>
      cells.map((cell) => cell.trim()),
    );
  }

  it('lists exactly the codes that there are, in their order', async () => {
    expect((await rows()).map(([code]) => code)).to.deep.equal(Object.keys(errorCodes));
  });

  it('says when each is seen and what to do', async () => {
    for (const [code, when, mend] of await rows()) {
      expect(when, `${code}: when`).to.have.length.above(20);
      expect(mend, `${code}: what to do`).to.have.length.above(20);
    }
  });

  it('lists no code that nothing uses', async () => {
    const source = new URL('../../../src/', import.meta.url);
    const files = (await readdir(source, { recursive: true })).filter((file) => file.endsWith('.ts'));
    const texts = await Promise.all(
      files
        .filter((file) => file !== 'base/errors.ts')
        .map((file) => readFile(new URL(file, source), 'utf8')),
    );
    const errors = await readFile(new URL('base/errors.ts', source), 'utf8');
    const used = (code: string) =>
      texts.some((text) => text.includes(`'${code}'`)) || errors.includes(`super('${code}'`);
    expect(Object.keys(errorCodes).filter((code) => !used(code))).to.deep.equal([]);
  });
});
