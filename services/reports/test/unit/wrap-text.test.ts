import { expect } from 'chai';
import fc from 'fast-check';
import { shareWidths } from '../../src/output/pdf/column-widths.js';
import { wrapText } from '../../src/output/pdf/wrap-text.js';

const measure = (text: string): number => [...text].length;

describe('wrapText', () => {
  const wrap = (text: string, width: number, lines = 3): string[] =>
    wrapText(text, { width, lines, measure });

  it('breaks between words', () => {
    expect(wrap('the quick brown fox', 9)).to.deep.equal(['the quick', 'brown fox']);
    expect(wrap('the quick brown fox', 8)).to.deep.equal(['the', 'quick', 'brown f…']);
  });

  it('breaks a word that is wider than a line', () => {
    expect(wrap('abcdefgh ij', 3, 4)).to.deep.equal(['abc', 'def', 'gh', 'ij']);
  });

  it('takes any white space for a space', () => {
    expect(wrap(' a\r\n\tb ', 10)).to.deep.equal(['a b']);
    expect(wrap('', 10)).to.deep.equal(['']);
  });

  it('ends what does not fit with an ellipsis', () => {
    expect(wrap('aaaa bbbb cccc dddd', 4, 2)).to.deep.equal(['aaaa', 'bbb…']);
    expect(wrap('abcdef', 3, 1)).to.deep.equal(['ab…']);
  });

  it('never makes a line too wide, splits no character and loses nothing unless it says so', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'bc', ' ', '😀', '\n'), maxLength: 60 });
    fc.assert(
      fc.property(
        text,
        fc.integer({ min: 2, max: 12 }),
        fc.integer({ min: 1, max: 5 }),
        (value, width, lines) => {
          const wrapped = wrap(value, width, lines);
          expect(wrapped.length).to.be.within(1, lines);
          for (const line of wrapped) {
            expect(measure(line)).to.be.at.most(width);
            expect(line).not.to.match(/[\ud800-\udbff](?![\udc00-\udfff])/);
          }
          if (!wrapped.at(-1)!.endsWith('…')) {
            expect(wrapped.join('').replaceAll(' ', '')).to.equal(value.replace(/\s/g, ''));
          }
        },
      ),
    );
  });
});

describe('shareWidths', () => {
  it('spreads what is left over in proportion', () => {
    expect(shareWidths([10, 30], 80)).to.deep.equal([20, 60]);
  });

  it('leaves narrow columns what they want and shares the rest among the wide ones', () => {
    expect(shareWidths([10, 500, 300, 20], 110)).to.deep.equal([10, 40, 40, 20]);
    expect(shareWidths([100, 100], 50)).to.deep.equal([25, 25]);
  });

  it('always fills the page', () => {
    const wanted = fc.array(fc.double({ min: 1, max: 300, noNaN: true }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(wanted, (widths) => {
        const total = shareWidths(widths, 500).reduce((sum, width) => sum + width, 0);
        expect(total).to.be.closeTo(500, 1e-6);
      }),
    );
  });
});
