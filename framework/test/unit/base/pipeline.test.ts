import { expect } from 'chai';
import { asLight, compose, composePassing, type Step } from '../../../src/base/pipeline.js';

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
    const run = compose(
      [noting('a', seen), noting('b', seen)].map(asLight),
      async (subject) => `last ${subject}`,
    );
    expect(await run('x')).to.equal('a(b(last x))');
    expect(seen).to.deep.equal(['a before x', 'b before x', 'b after', 'a after']);
  });

  it('is the last function itself when there is no step', () => {
    const last = async () => 'x';
    expect(compose([], last)).to.equal(last);
  });

  it('lets a step answer without the rest', async () => {
    const run = compose<string, string>([asLight(async () => 'short cut')], () =>
      Promise.reject(new Error('must not be reached')),
    );
    expect(await run('x')).to.equal('short cut');
  });

  it('passes what the rest throws to the steps around it', async () => {
    const run = compose<string, string>(
      [asLight(async (_, next) => next().catch((error: unknown) => `saved: ${String(error)}`))],
      () => Promise.reject(new Error('broken')),
    );
    expect(await run('x')).to.equal('saved: Error: broken');
  });

  it('keeps runs apart that overlap', async () => {
    const run = compose<number, number>(
      [asLight(async (n, next) => (await next()) + n)],
      async (n) => n * 10,
    );
    expect(await Promise.all([run(1), run(2)])).to.deep.equal([11, 22]);
  });

  it('makes no promise where neither a light step nor the rest has something to wait for', () => {
    const run = compose<number, number>([(n, next) => (next() as number) + n], (n) => n * 10);
    expect(run(1)).to.equal(11);
  });

  it('gives a step that waits a promise, also for a rest that throws at once', async () => {
    const run = compose<string, string>(
      [asLight((_, next) => next().catch((error: unknown) => `saved: ${String(error)}`))],
      () => {
        throw new Error('broken');
      },
    );
    expect(await run('x')).to.equal('saved: Error: broken');
  });
});

describe('composePassing', () => {
  it('runs the first step outermost, and passes on what each makes of the result', () => {
    const seen: string[] = [];
    const run = composePassing<string, string>(
      ['a', 'b'].map((name) => (subject, next, done) => {
        seen.push(`${name} before ${subject}`);
        next((result) => done(`${name}(${result})`));
      }),
      (subject, done) => done(`last ${subject}`),
    );
    run('x', (result) => seen.push(result));
    expect(seen).to.deep.equal(['a before x', 'b before x', 'a(b(last x))']);
  });

  it('lets a step answer without the rest, and later', () => {
    const late: (() => void)[] = [];
    const run = composePassing<string, string>(
      [(subject, _next, done) => late.push(() => done(`no ${subject}`))],
      () => {
        throw new Error('must not be reached');
      },
    );
    const seen: string[] = [];
    run('x', (result) => seen.push(result));
    expect(seen).to.deep.equal([]);
    late[0]!();
    expect(seen).to.deep.equal(['no x']);
  });
});
