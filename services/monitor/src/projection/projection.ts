import type { ControlEvent, HeartbeatEvent, JobEvent, RailEvent } from 'jobrail/events';
import type { Database, Transaction } from 'jobrail/store';
import type { ReadBatch } from '../records/read-batch.js';
import { Audit } from './audit.js';
import { JobWrites } from './job-writes.js';
import type { Kinds } from './kinds.js';
import type { Lease } from './lease.js';
import { Minutes } from './minutes.js';
import type { PlacedEvent } from './placed-event.js';
import { Senders } from './senders.js';
import { Workers } from './workers.js';

/** A message of the event stream, as it was read; without a batch where it is none. */
export interface StreamedMessage extends Partial<ReadBatch> {
  /** Its place: where a stream took the place of another, that of the first message follows the last of the other. */
  offset: number;
}

export interface ProjectionState {
  /** Of the next message to project. */
  nextOffset: number;
  /** Attempts of messages before this are counted by minute already. */
  countedTo: number;
  nextSeq: number;
  /** Place of the offset 0 of the stream that is there now. */
  streamBase: number;
}

export interface Projected {
  events: number;
  /** Batches that had been projected before. */
  repeated: number;
  /** Events and messages that are none. */
  refused: number;
  /** The last batch of each sender. */
  lastSeqs: ReadonlyMap<string, number>;
}

/**
 * Turns messages of the event stream into rows. Messages, rows and the place in the stream go into one transaction, so
 * after a crash at any point it goes on exactly where the rows are; a batch that comes twice changes nothing.
 */
export class Projection {
  constructor(
    private readonly database: Database,
    private readonly lease: Lease,
    private readonly kinds: Kinds,
  ) {}

  /** @throws LeaseLost when another replica projects; StoreError. Nothing has changed then. */
  async apply(messages: readonly StreamedMessage[]): Promise<Projected> {
    const result = await this.database.transaction(async (transaction) => {
      // A crash of the store may take the last transactions back, and the place in the stream with them.
      if (transaction.dialect === 'postgres') await transaction.query('SET LOCAL synchronous_commit = off');
      await this.lease.confirm(transaction);
      const state = await readState(transaction);
      const senders = await Senders.load(
        transaction,
        messages.flatMap(({ batch }) => batch?.from.instance ?? []),
      );
      const jobs: PlacedEvent<JobEvent>[] = [];
      const audit = new Audit();
      const minutes = new Minutes(state.countedTo);
      const workers = new Workers();
      const lastSeqs = new Map<string, number>();
      const projected: Projected = { events: 0, repeated: 0, refused: 0, lastSeqs };
      for (const { offset, batch, refused } of messages) {
        if (!batch) projected.refused++;
        else if (!senders.isNew(batch)) projected.repeated++;
        else {
          lastSeqs.set(batch.from.instance, batch.seq);
          projected.refused += refused!;
          projected.events += batch.events.length;
          for (const event of batch.events) {
            const placed = { event, from: batch.from, offset };
            if (isHeartbeat(event)) workers.add(event, batch.from);
            else if (isControl(event)) audit.add(placed);
            else {
              jobs.push({ event, from: batch.from, offset });
              if (event.kind === 'replayed') audit.add(placed);
            }
          }
        }
      }
      const kind = this.kinds.within(transaction);
      const writes = new JobWrites(transaction, kind, state.nextSeq);
      await writes.fold(jobs);
      for (const { event, from, offset } of jobs) {
        const counted = minutes.add(event, { offset, service: from.service, kind });
        if (counted) await counted;
      }
      const nextOffset = messages.at(-1)!.offset + 1;
      await Promise.all([
        writes.write(),
        minutes.write(transaction),
        audit.write(transaction),
        workers.write(transaction),
        senders.write(transaction),
        transaction.query(
          `UPDATE monitor_projection
           SET next_offset = $1, next_seq = $2, counted_to = $3, refused = refused + $4 WHERE id = 1`,
          [nextOffset, writes.nextSeq, Math.max(state.countedTo, nextOffset), projected.refused],
        ),
      ]);
      return projected;
    });
    await this.kinds.load(this.database);
    return result;
  }
}

export async function readState(on: Pick<Transaction, 'query'>): Promise<ProjectionState> {
  const { rows } = await on.query<{
    next_offset: number;
    counted_to: number;
    next_seq: number;
    stream_base: number;
  }>(`SELECT next_offset, counted_to, next_seq, stream_base FROM monitor_projection WHERE id = 1`);
  const { next_offset: nextOffset, counted_to: countedTo, next_seq: nextSeq } = rows[0]!;
  return { nextOffset, countedTo, nextSeq, streamBase: rows[0]!.stream_base };
}

function isHeartbeat(event: RailEvent): event is HeartbeatEvent {
  return event.kind === 'heartbeat';
}

function isControl(event: RailEvent): event is ControlEvent {
  return event.kind === 'control';
}
