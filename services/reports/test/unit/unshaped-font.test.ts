import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import PDFDocument from 'pdfkit';
import { notoSans } from '../../src/output/pdf/pdf-page.js';
import { needsShaping, withoutShaping } from '../../src/output/pdf/unshaped-font.js';

describe('a font without shaping', () => {
  const font = readFileSync(notoSans.regular);
  const widthIn = (bytes: Buffer, text: string): number =>
    new PDFDocument().font(bytes).fontSize(1_000).widthOfString(text);

  it('has the same glyphs, and no kerning', () => {
    const plain = withoutShaping(font);
    expect(widthIn(plain, 'n')).to.equal(widthIn(font, 'n'));
    expect(widthIn(plain, 'AV')).to.equal(widthIn(plain, 'A') + widthIn(plain, 'V'));
    expect(widthIn(font, 'AV')).to.be.lessThan(widthIn(plain, 'AV'));
  });

  it('leaves the font that it was made of, and formats that it does not know, as they are', () => {
    const before = Buffer.from(font);
    withoutShaping(font);
    expect(font.equals(before)).to.equal(true);
    const woff = Buffer.from('wOFF and so on, and so on');
    expect(withoutShaping(woff)).to.equal(woff);
    expect(withoutShaping(Buffer.alloc(3))).to.have.length(3);
  });

  it('will do for Latin, Greek, Cyrillic and East Asian text, and not for joined scripts and marks', () => {
    for (const text of [
      '',
      'Zürich 12,50 €',
      'Łódź',
      'Ωμέγα',
      'Привет',
      'Việt Nam',
      '“quoted” – 日本語 한국어',
    ]) {
      expect(needsShaping(text), text).to.equal(false);
    }
    for (const text of ['e\u0301', 'हिन्दी', 'مرحبا', 'ไทย', 'שלום', '😀'])
      expect(needsShaping(text), text).to.equal(true);
  });
});
