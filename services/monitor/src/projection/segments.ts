/** Jobs are numbered in the order in which they were first heard of; so many in a row are a segment. */
const segmentBits = 14;

/** Jobs of a segment. */
export const segmentSize = 2 ** segmentBits;

/**
 * The segment of a job. What is found by values (`monitor_values`) stands by segment, so that writing touches one small
 * part of the index, and reading goes from the newest segment to the oldest until a page is full.
 */
export function segmentOf(seq: number): number {
  return Math.floor(seq / segmentSize);
}
