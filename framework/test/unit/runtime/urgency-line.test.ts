import { expect } from 'chai';
import { UrgencyLine } from '../../../src/runtime/urgency-line.js';

describe('UrgencyLine', () => {
  function lineOf(share: number | undefined, ...items: [string, number][]): UrgencyLine<string> {
    const line = new UrgencyLine<string>(3, share);
    for (const [item, priority] of items) line.add(item, priority);
    return line;
  }
  function takeAll(line: UrgencyLine<string>): string[] {
    const taken: string[] = [];
    for (let item = line.take(); item !== undefined; item = line.take()) taken.push(item);
    return taken;
  }

  it('gives the most urgent first, and within a priority the first that came', () => {
    const line = lineOf(undefined, ['a', 0], ['b', 2], ['c', 1], ['d', 2], ['e', 0]);
    expect(line.size).to.equal(5);
    expect(takeAll(line)).to.deep.equal(['b', 'd', 'c', 'a', 'e']);
    expect(line.size).to.equal(0);
  });

  it('gives the least urgent its share', () => {
    const items = Array.from({ length: 8 }, (_, i): [string, number][] => [
      [`low ${i}`, 0],
      [`high ${i}`, 2],
    ]).flat();
    const taken = takeAll(lineOf(0.25, ...items)).slice(0, 8);
    expect(taken).to.deep.equal([
      'high 0',
      'high 1',
      'high 2',
      'low 0',
      'high 3',
      'high 4',
      'high 5',
      'low 1',
    ]);
  });

  it('with a share of 1 turns the order round', () => {
    expect(takeAll(lineOf(1, ['a', 0], ['b', 1], ['c', 2]))).to.deep.equal(['a', 'b', 'c']);
  });

  it('takes a priority that the queue has not for its highest', () => {
    expect(takeAll(lineOf(0, ['a', 1], ['b', 9]))).to.deep.equal(['b', 'a']);
  });

  it('lets go of all at once', () => {
    const line = lineOf(0, ['a', 0], ['b', 2]);
    expect(line.drain()).to.have.members(['a', 'b']);
    expect(line.size).to.equal(0);
    expect(line.take()).to.equal(undefined);
  });
});
