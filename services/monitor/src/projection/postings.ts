import type { Queryable } from 'jobrail/store';
import { segmentOf, segmentSize } from './segments.js';

/** Values of a segment are spread over so many lists. */
const buckets = 512;

/** The list that tells which jobs have a value. */
export const bucketOf = (token: number) => token % buckets;

/** The value within its list, as it stands there before the places of its jobs. */
const nameOf = (token: number) => `;${Math.floor(token / buckets).toString(36)}:`;

/**
 * Which jobs have which values: lists of places within the segment, by segment and bucket, a row of each for all that one
 * transaction adds. So a transaction writes a few hundred rows for the values of thousands of jobs, and a value that every
 * job has costs no more than others.
 */
export class Postings {
  /** By segment, bucket and token. */
  readonly #lists = new Map<number, Map<number, List>>();

  add(token: number, seq: number): void {
    const lists = getOr(this.#lists, segmentOf(seq), () => new Map<number, List>());
    const { places } = getOr(lists, bucketOf(token), (): List => ({ firstSeq: seq, places: new Map() }));
    const before = places.get(token);
    const place = seq % segmentSize;
    places.set(token, before === undefined ? String(place) : `${before} ${place}`);
  }

  async write(on: Queryable): Promise<void> {
    if (this.#lists.size === 0) return;
    const rows: (string | number)[][] = [];
    for (const [segment, lists] of this.#lists) {
      for (const [bucket, { firstSeq, places }] of [...lists].sort(([a], [b]) => a - b)) {
        let list = '';
        for (const [token, text] of places) list += nameOf(token) + text;
        rows.push([segment, bucket, firstSeq, list]);
      }
    }
    await on.queryMany(
      `INSERT INTO monitor_values (segment, bucket, first_seq, list)
       SELECT segment, bucket, first_seq, list FROM given WHERE true
       ON CONFLICT (segment, bucket, first_seq) DO UPDATE SET list = monitor_values.list || excluded.list`,
      { columns: { segment: 'bigint', bucket: 'bigint', first_seq: 'bigint', list: 'text' }, rows },
    );
  }
}

interface List {
  firstSeq: number;
  places: Map<number, string>;
}

/** The jobs that a list has for a value, in no order. */
export function jobsIn(list: string, token: number, segment: number): number[] {
  const name = nameOf(token);
  const jobs: number[] = [];
  for (let at = list.indexOf(name); at >= 0; at = list.indexOf(name, at)) {
    at += name.length;
    const end = list.indexOf(';', at);
    const places = list.slice(at, end < 0 ? undefined : end).split(' ');
    for (const place of places) jobs.push(segment * segmentSize + Number(place));
  }
  return jobs;
}

function getOr<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
