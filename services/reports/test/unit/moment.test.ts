import { expect } from 'chai';
import { readMoment } from '../../src/table/moment.js';

describe('readMoment', () => {
  const read: [text: string, iso: string, hasTime: boolean][] = [
    ['2024-02-29', '2024-02-29T00:00:00.000Z', false],
    ['2024/02/29', '2024-02-29T00:00:00.000Z', false],
    ['0099-12-31', '0099-12-31T00:00:00.000Z', false],
    ['Feb 29 2024', '2024-02-29T00:00:00.000Z', false],
    ['Jan 1, 2000', '2000-01-01T00:00:00.000Z', false],
    ['2024-02-29 18:30', '2024-02-29T18:30:00.000Z', true],
    ['2015/01/01 01:00:00', '2015-01-01T01:00:00.000Z', true],
    ['2024-02-29T18:30:05.25Z', '2024-02-29T18:30:05.250Z', true],
    ['2024-02-29T00:30:00+02:00', '2024-02-28T22:30:00.000Z', true],
    ['2024-02-29 12:00:00.123456+00', '2024-02-29T12:00:00.123Z', true],
    ['2024-02-29 12:00:00-0330', '2024-02-29T15:30:00.000Z', true],
  ];
  for (const [text, iso, hasTime] of read) {
    it(`reads ${text}`, () => {
      const moment = readMoment(text);
      expect(moment?.hasTime).to.equal(hasTime);
      expect(new Date(moment?.ms ?? NaN).toISOString()).to.equal(iso);
    });
  }

  const refused = [
    '2023-02-29',
    '2024-13-01',
    '2024-02/03',
    '03/04/2024',
    '2024-02-29 24:00',
    '2024-02-29 12:60',
    'Foo 1 2000',
    'Feb 30 2000',
    '20240229',
    '',
    'infinity',
  ];
  for (const text of refused) {
    it(`takes ${JSON.stringify(text)} for text`, () => expect(readMoment(text)).to.equal(undefined));
  }
});
