import type { JobEvent } from 'jobrail/events';
import { blankRecord, fold, type HistoryStep } from '../records/fold.js';
import type { JobRecord } from '../records/job-record.js';
import { payloadTokens, rootToken, traceToken } from '../records/search-tokens.js';
import type { PlacedEvent } from './placed-event.js';

/** The row of a job, as it stands in the store. */
export interface JobRow {
  seq: number;
  shelf: number;
  time: number;
  fingerprint: string | null;
  first_offset: number;
  record: string;
}

/** A record that is longer as JSON loses its payload and result: only a sender that is no Jobrail tells such. */
const longestRecord = 1024 * 1024;
const longestStep = 64 * 1024;

/** One job in a transaction: its row before, its record and history after. */
export class JobEntry {
  readonly record: JobRecord;
  readonly steps: HistoryStep[] = [];
  /** When it was enqueued, as far as was known when it was first heard of. */
  readonly time: number;
  readonly firstOffset: number;
  /** Of the first step in the stream. */
  place = 0;
  readonly #found: Pick<JobRecord, 'payload' | 'traceId' | 'rootId'>;

  private constructor(
    readonly seq: number,
    /** Undefined for a job that was never heard of. */
    readonly before: JobRow | undefined,
    { record, time, firstOffset }: { record: JobRecord; time: number; firstOffset: number },
  ) {
    this.record = record;
    this.time = time;
    this.firstOffset = firstOffset;
    this.#found = { payload: record.payload, traceId: record.traceId, rootId: record.rootId };
  }

  static of(row: JobRow): JobEntry {
    const record = JSON.parse(row.record) as JobRecord;
    return new JobEntry(row.seq, row, { record, time: row.time, firstOffset: row.first_offset });
  }

  static first(seq: number, { event, offset }: PlacedEvent<JobEvent>): JobEntry {
    const time = 'enqueuedAt' in event ? event.enqueuedAt : enqueuedAtOf(event);
    return new JobEntry(seq, undefined, { record: blankRecord(event), time, firstOffset: offset });
  }

  add({ event, from, offset }: PlacedEvent<JobEvent>): void {
    if (this.steps.length === 0) this.place = offset;
    const step = fold(this.record, event, from);
    if (step) this.steps.push(step);
  }

  get fingerprint(): string | null {
    return this.record.error?.fingerprint ?? null;
  }

  /** When the state changes because time passes. */
  get dueAt(): number | null {
    return this.record.state === 'scheduled' ? (this.record.nextAt ?? null) : null;
  }

  /** What it can be found by now and could not before. */
  newTokens(): number[] {
    const { payload, traceId, rootId } = this.record;
    const tokens = payload === this.#found.payload ? [] : payloadTokens(payload);
    if (traceId !== this.#found.traceId) tokens.push(traceToken(traceId!));
    if (rootId !== this.#found.rootId) tokens.push(rootToken(rootId!));
    return tokens;
  }

  recordText(): string {
    const text = JSON.stringify(this.record);
    if (text.length <= longestRecord) return text;
    const { id, contract, queue, state, attempts, replays, attempt, settled, updatedAt, steps } = this.record;
    return JSON.stringify({
      ...{ id, contract, queue, state, attempts, replays, attempt, settled, updatedAt, steps },
      service: this.record.service,
      enqueuedAt: this.record.enqueuedAt,
      truncated: true,
    });
  }

  stepsText(): string {
    const texts = this.steps.map((step) => {
      const text = JSON.stringify(step);
      const { at, kind, service, host } = step;
      return text.length <= longestStep ? text : JSON.stringify({ at, kind, service, host, truncated: true });
    });
    return `[${texts.join(',')}]`;
  }
}

function enqueuedAtOf(event: JobEvent): number {
  return ('facts' in event && event.facts?.enqueuedAt) || event.at;
}
