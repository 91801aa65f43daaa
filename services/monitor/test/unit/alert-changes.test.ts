import { expect } from 'chai';
import type { Finding } from '../../src/alerts/alert-rules.js';
import type { KnownAlert } from '../../src/alerts/alert-store.js';
import { compare } from '../../src/alerts/watch.js';

const found = (id: string): Finding => ({
  id,
  rule: 'depth',
  subject: id,
  text: `${id} is deep`,
  value: 5,
  above: 1,
});
const minute = 60_000;

/** Looks one after another, a minute apart; what each tells. */
function looks(...findings: string[][]): { firing: string[]; resolved: string[] }[] {
  let known: KnownAlert[] = [];
  return findings.map((ids, look) => {
    const { changed, group } = compare(known, ids.map(found), { now: look * minute, repeatMs: 10 * minute });
    const written = new Map(known.map((alert) => [alert.id, alert]));
    for (const alert of changed) written.set(alert.id, alert);
    known = [...written.values()];
    return { firing: group.firing.map(({ id }) => id), resolved: group.resolved.map(({ id }) => id) };
  });
}
const quiet = { firing: [], resolved: [] };

describe('what is told of alerts', () => {
  it('is what begins and ends, all of one look together', () => {
    expect(looks([], ['a', 'b'], ['a', 'b'], ['b', 'c'], [])).to.deep.equal([
      quiet,
      { firing: ['a', 'b'], resolved: [] },
      quiet,
      { firing: ['c'], resolved: ['a'] },
      { firing: [], resolved: ['b', 'c'] },
    ]);
  });

  it('is repeated every so often while it goes on', () => {
    const told = looks(...Array.from({ length: 25 }, () => ['a']));
    expect(told.flatMap(({ firing }, look) => (firing.length > 0 ? [look] : []))).to.deep.equal([0, 10, 20]);
  });

  it('makes no storm of one that comes and goes', () => {
    const told = looks(...Array.from({ length: 24 }, (_, look) => (look % 2 === 0 ? ['a'] : [])));
    expect(told.flatMap(({ firing }, look) => (firing.length > 0 ? [look] : []))).to.deep.equal([0, 10, 20]);
    expect(told.flatMap(({ resolved }, look) => (resolved.length > 0 ? [look] : []))).to.deep.equal([
      1, 11, 21,
    ]);
  });

  it('tells one that stays when the time of silence is over', () => {
    const told = looks(['a'], [], ...Array.from({ length: 12 }, () => ['a']));
    expect(told.flatMap(({ firing }, look) => (firing.length > 0 ? [look] : []))).to.deep.equal([0, 10]);
  });
});
