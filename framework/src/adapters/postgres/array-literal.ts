import type { GivenRows } from '../../model/sql.js';

/** What JSON escapes in another way than PostgreSQL's arrays do, and halves of surrogate pairs, which UTF-8 has not. */
const unlikeJson = /[\u0000-\u001f]|\p{Surrogate}/u; // eslint-disable-line no-control-regex

/**
 * A column of given rows as the text of a PostgreSQL array. `pg` can write these too, but takes several times as long:
 * most texts are written as in JSON, in one call. Half of a surrogate pair becomes what UTF-8 makes of it.
 */
export function columnLiteral(
  rows: GivenRows['rows'],
  column: number,
  type: GivenRows['columns'][string],
): string {
  const values = rows.map((row) => row[column]!);
  if (type !== 'text') return `{${values.map((value) => value ?? 'NULL').join(',')}}`;
  const plain = values.every((value) => typeof value !== 'string' || !unlikeJson.test(value));
  return `{${plain ? JSON.stringify(values).slice(1, -1) : values.map(element).join(',')}}`;
}

function element(value: string | number | null): string {
  if (value === null) return 'NULL';
  const text = String(value).replace(/\p{Surrogate}/gu, '\ufffd');
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
