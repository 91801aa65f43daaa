import { expect } from 'chai';
import { compose, type Step } from '../../../src/base/pipeline.js';

describe('compose', () => {
  const noting =
    (name: string, seen: string[]): Step<string, string> =>
    async (subject, next) => {
      seen.push(`${name} before ${subject}`);
      const result = await next();
      seen.push(`${name} after`);
      return `${name}(${result})`;
    };

  it('runs the first step outermost', async () => {
    const seen: string[] = [];
    const run = compose([noting('a', seen), noting('b', seen)], async (subject) => `last ${subject}`);
    expect(await run('x')).to.equal('a(b(last x))');
    expect(seen).to.deep.equal(['a before x', 'b before x', 'b after', 'a after']);
  });

  it('is the last function itself when there is no step', () => {
    const last = async () => 'x';
    expect(compose([], last)).to.equal(last);
  });

  it('lets a step answer without the rest', async () => {
    const run = compose<string, string>([async () => 'short cut'], () =>
      Promise.reject(new Error('must not be reached')),
    );
    expect(await run('x')).to.equal('short cut');
  });

  it('passes what the rest throws to the steps around it', async () => {
    const run = compose<string, string>(
      [async (_, next) => next().catch((error: unknown) => `saved: ${String(error)}`)],
      () => Promise.reject(new Error('broken')),
    );
    expect(await run('x')).to.equal('saved: Error: broken');
  });

  it('keeps runs apart that overlap', async () => {
    const run = compose<number, number>([async (n, next) => (await next()) + n], async (n) => n * 10);
    expect(await Promise.all([run(1), run(2)])).to.deep.equal([11, 22]);
  });
});
