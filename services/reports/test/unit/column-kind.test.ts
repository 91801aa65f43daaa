import { expect } from 'chai';
import { readBoolean, readNumber } from '../../src/table/column-kind.js';
import { kindOfColumn } from '../../src/table/kind-of-column.js';

describe('the kind of a column', () => {
  const numbers: [string, number][] = [
    ['0', 0],
    ['-5', -5],
    ['12.50', 12.5],
    ['.5', 0.5],
    ['0.30000000000000004', 0.30000000000000004],
    ['999999999999999', 999_999_999_999_999],
    ['1.5e-07', 1.5e-7],
    ['1e+20', 1e20],
  ];
  for (const [text, value] of numbers) {
    it(`reads ${text} as a number`, () => expect(readNumber(text)).to.equal(value));
  }

  for (const text of [
    '007',
    '00501',
    '1E5',
    '12345678901234567890',
    '1,000',
    '0x10',
    '+5',
    '5.',
    ' 5',
    'NaN',
    'Infinity',
    '1e999.0',
    '',
  ]) {
    it(`takes ${JSON.stringify(text)} for a code or text, which stays as it is`, () => {
      expect(readNumber(text)).to.equal(undefined);
    });
  }

  it('reads true and false in any case, and nothing else, as booleans', () => {
    expect(['true', 'FALSE', 'True'].map(readBoolean)).to.deep.equal([true, false, true]);
    expect(['1', 'yes', 't', ''].map(readBoolean)).to.deep.equal([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  const columns: [cells: (string | null)[], kind: string][] = [
    [['1', null, '2.5'], 'number'],
    [['1', '02'], 'text'],
    [['2024-01-01', null, '2024-01-02'], 'date'],
    [['2024-01-01', '2024-01-02 10:00'], 'moment'],
    [['true', 'false'], 'boolean'],
    [['1', 'true'], 'text'],
    [['2024-01-01', '1'], 'text'],
    [[null, null], 'text'],
    [[], 'text'],
  ];
  for (const [cells, kind] of columns) {
    it(`is ${kind} for ${JSON.stringify(cells)}`, () => {
      expect(
        kindOfColumn(
          cells.map((cell) => [cell]),
          0,
        ),
      ).to.equal(kind);
    });
  }
});
