import { expect } from 'chai';
import { columnNames } from '../../src/table/column-names.js';
import { selectColumns } from '../../src/table/select-columns.js';
import { reportError } from '../failure-of.js';
import { rowsOf, tableOf } from '../table-of.js';

describe('columns', () => {
  it('have a name each, whatever the header says', () => {
    expect(columnNames([' a ', '', 'a', 'a', 'a (2)'])).to.deep.equal([
      'a',
      'column 2',
      'a (2)',
      'a (3)',
      'a (2) (2)',
    ]);
  });

  it('can be chosen, in another order and more than once', async () => {
    const table = selectColumns(tableOf(['a', 'b', 'c:number'], [['1', '2', '3']]), ['c', 'a', 'c']);
    expect(table.columns.map(({ name, kind }) => `${name}:${kind}`)).to.deep.equal([
      'c:number',
      'a:text',
      'c:number',
    ]);
    expect(await rowsOf(table)).to.deep.equal([['3', '1', '3']]);
  });

  it('are all there when none is named', () => {
    const table = tableOf(['a'], []);
    expect(selectColumns(table, undefined)).to.equal(table);
  });

  it('that the source does not have are an error that lists those it has', async () => {
    const select = async (): Promise<unknown> => selectColumns(tableOf(['a', 'b'], []), ['a', 'constructor']);
    const error = await reportError('COLUMN_UNKNOWN', select());
    expect(error.message).to.equal(
      'columns names "constructor", which the source does not have. Name one of its columns: "a", "b".',
    );
  });
});
