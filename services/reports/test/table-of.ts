import type { ColumnKind } from '../src/table/column-kind.js';
import type { Row, Table } from '../src/table/table.js';

/** A table of rows at hand, `perBatch` at a time. A column is written as its name, or as `name:kind`. */
export function tableOf(columns: readonly string[], rows: readonly Row[], perBatch = 100): Table {
  async function* batches(): AsyncGenerator<readonly Row[]> {
    for (let from = 0; from < rows.length; from += perBatch) yield rows.slice(from, from + perBatch);
  }
  return {
    columns: columns.map((column) => {
      const [name = '', kind = 'text'] = column.split(':');
      return { name, kind: kind as ColumnKind };
    }),
    batches: batches(),
    fraction: () => 0,
    close: async () => {},
  };
}

export async function rowsOf(table: Table): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of table.batches) rows.push(...batch);
  return rows;
}
