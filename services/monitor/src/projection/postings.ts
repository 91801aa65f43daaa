import type { Queryable } from 'jobrail/store';
import { segmentOf, segmentSize } from './segments.js';

/**
 * Which jobs have a value: for each segment and token rows of places within the segment, a row for all that one transaction
 * adds. So a value that every job has costs a row a transaction, not a row a job.
 */
export class Postings {
  /** By segment and token. */
  readonly #lists = new Map<number, Map<number, { firstSeq: number; places: string }>>();

  add(token: number, seq: number): void {
    const segment = segmentOf(seq);
    let lists = this.#lists.get(segment);
    if (!lists) {
      lists = new Map<number, { firstSeq: number; places: string }>();
      this.#lists.set(segment, lists);
    }
    const list = lists.get(token);
    if (list) list.places += ` ${placeIn(seq)}`;
    else lists.set(token, { firstSeq: seq, places: String(placeIn(seq)) });
  }

  async write(on: Queryable): Promise<void> {
    if (this.#lists.size === 0) return;
    await on.queryMany(
      `INSERT INTO monitor_tokens (segment, token, first_seq, seqs)
       SELECT segment, token, first_seq, seqs FROM given WHERE true
       ON CONFLICT (segment, token, first_seq) DO UPDATE SET seqs = monitor_tokens.seqs || ' ' || excluded.seqs`,
      {
        columns: { segment: 'bigint', token: 'bigint', first_seq: 'bigint', seqs: 'text' },
        rows: [...this.#lists].flatMap(([segment, lists]) =>
          [...lists].map(([token, { firstSeq, places }]) => [segment, token, firstSeq, places]),
        ),
      },
    );
  }
}

/** The jobs of a row, in no order. */
export function jobsOf(segment: number, seqs: string): number[] {
  return seqs.split(' ').map((place) => segment * segmentSize + Number(place));
}

function placeIn(seq: number): number {
  return seq % segmentSize;
}
