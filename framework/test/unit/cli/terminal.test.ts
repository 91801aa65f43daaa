import { expect } from 'chai';
import {
  ago,
  columnsOf,
  cutTo,
  printable,
  printableJson,
  printableLines,
  Progress,
  span,
  table,
  when,
} from '../../../src/cli/terminal.js';

const hostile = [
  '\u001b[2J\u001b]0;owned\u0007', // clears the screen, names the window
  '\u009b31m', // the same by C1
  'a\rb', // writes over the line
  'up\u202Egnp.exe', // reads backwards
  'zero\u200bwidth\ufeff',
  '\u{e0041}tag', // invisible
  'half \ud800 of a pair',
  'tab\tnew\nline\u2028',
  '\u007f\b\u0000',
];

/* eslint-disable no-control-regex */
const acts =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]|[\u{e0000}-\u{e007f}]|\p{Cs}/u;
/* eslint-enable no-control-regex */

describe('what the CLI shows', () => {
  it('lets nothing through that a terminal acts upon, and shows that it was there', () => {
    for (const text of hostile) {
      expect(printable(text), JSON.stringify(text)).not.to.match(acts).and.not.to.include('\n');
      expect(printableLines(text).join('\n')).not.to.match(acts);
    }
    expect(printable('\u001b[31mred')).to.equal('\\x1b[31mred');
    expect(printable('a\u202eb')).to.equal('a\\u202eb');
    expect(printable('Grüße, 世界 🚂')).to.equal('Grüße, 世界 🚂');
  });

  it('writes JSON that means the same and acts on nothing', () => {
    for (const text of hostile) {
      const json = printableJson({ text });
      expect(json).not.to.match(acts);
      expect(JSON.parse(json)).to.deep.equal({ text });
    }
  });

  it('draws tables that fit, also with wide characters and hostile cells', () => {
    const rows = [
      ['01983c1e-0000-7000-8000-000000000000', '12', `${'世界'.repeat(60)}\u001b[2J`],
      ['short', '1,000,000', 'x'.repeat(300)],
    ];
    const columns = [{ title: 'id' }, { title: 'jobs', right: true }, { title: 'error', gives: true }];
    for (const width of [40, 60, 80, 200]) {
      const lines = table(columns, rows, width);
      for (const line of lines) {
        expect(columnsOf(line), `${width}: ${line}`).to.be.at.most(width);
        expect(line).not.to.match(acts);
      }
    }
    expect(table(columns, rows, 80)[1])
      .to.include('01983c1e-0000-7000-8000-000000000000')
      .and.include('…');
    expect(table(columns, [], 80)).to.deep.equal(['id  jobs  error']);
  });

  it('cuts at columns, not in the middle of a character', () => {
    expect(cutTo('abcdef', 4)).to.equal('abc…');
    expect(cutTo('世界世界', 4)).to.equal('世…');
    expect(cutTo('abcd', 4)).to.equal('abcd');
  });

  it('draws how far long work is, only on a terminal, and wipes it away', () => {
    const drawn: string[] = [];
    const write = (text: string | Uint8Array) => drawn.push(String(text)) > 0;
    const piped = new Progress('deleting', 2, { isTTY: false, write });
    piped.update(1);
    piped.end();
    expect(drawn).to.deep.equal([]);
    const bar = new Progress('deleting', 2, { isTTY: true, write });
    bar.update(1);
    bar.update(2);
    bar.end();
    expect(drawn.map((text) => text.replace('\r\u001b[2K', ''))).to.deep.equal([
      `deleting ${'█'.repeat(15)}${'░'.repeat(15)} 1/2`,
      `deleting ${'█'.repeat(30)} 2/2`,
      '',
    ]);
    const count = new Progress('events read:', undefined, { isTTY: true, write });
    count.update(1_234);
    expect(drawn.at(-1)).to.include('events read: 1234');
  });

  it('tells times for people', () => {
    const now = Date.UTC(2026, 2, 1, 12);
    expect(when(now - 200_000, now)).to.equal('2026-03-01 11:56:40.000 UTC (3 min 20 s ago)');
    expect(ago(now + 3_600_000, now)).to.equal('in 1 h');
    expect([span(850), span(12_345), span(90_061_000)]).to.deep.equal(['850 ms', '12 s', '1 d 1 h']);
    expect(when(Number.NaN)).to.equal('unknown');
    expect(when(9e15)).to.equal('unknown');
  });
});
