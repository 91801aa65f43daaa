import type { Queryable } from 'jobrail/store';
import { segmentOf, segmentSize } from './segments.js';

/**
 * Which jobs have a value: for each segment and token rows of places within the segment, a row for all that one transaction
 * adds. So a value that every job has costs a row a transaction, not a row a job.
 */
export class Postings {
  readonly #lists = new Map<string, [segment: number, token: number, firstSeq: number, places: number[]]>();

  add(token: number, seq: number): void {
    const segment = segmentOf(seq);
    const key = `${segment} ${token}`;
    const list = this.#lists.get(key);
    if (list) list[3].push(placeIn(seq));
    else this.#lists.set(key, [segment, token, seq, [placeIn(seq)]]);
  }

  async write(on: Queryable): Promise<void> {
    if (this.#lists.size === 0) return;
    await on.queryMany(
      `INSERT INTO monitor_tokens (segment, token, first_seq, seqs)
       SELECT segment, token, first_seq, seqs FROM given WHERE true
       ON CONFLICT (segment, token, first_seq) DO UPDATE SET seqs = monitor_tokens.seqs || ' ' || excluded.seqs`,
      {
        columns: { segment: 'bigint', token: 'bigint', first_seq: 'bigint', seqs: 'text' },
        rows: [...this.#lists.values()].map(([segment, token, first, places]) => [
          ...[segment, token, first],
          places.join(' '),
        ]),
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
