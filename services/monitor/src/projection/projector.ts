import {
  type Broker,
  eventsStream,
  eventsTopology,
  type StreamMessage,
  type StreamReading,
} from 'jobrail/events';
import type { Database } from 'jobrail/store';
import type { Logger } from 'pino';
import { JobWrites } from './job-writes.js';
import type { Kinds } from './kinds.js';
import { LagMeter } from './lag-meter.js';
import { Lease, LeaseLost } from './lease.js';
import { Inbox, type WaitingMessage } from './inbox.js';
import { Projection, readState } from './projection.js';
import { rebuild } from './rebuild.js';
import { Retain, type Retention } from './retention.js';

export interface ProjectorOptions {
  broker: Broker;
  database: Database;
  kinds: Kinds;
  prefix: string;
  retention: Retention;
  log: Logger;
  /** What else only the replica that projects does. */
  onWatch: (lagMs: number | undefined) => Promise<void>;
  /** How often; milliseconds. Never twice at once. */
  watchEveryMs: number;
}

/** Unacknowledged messages of the stream; each is at most about 512 KiB. */
const prefetch = 40;
const dueEveryMs = 1_000;
const markEveryMs = 2_000;
const retainEveryMs = 30_000;
const longestPauseMs = 5_000;
/** So long on its way, a marker does not come any more: what is read is beyond the end of a stream that began anew. */
const stalledMs = 5_000;

/**
 * Keeps the records up to date, while this replica has the lease; otherwise tries to get it.
 *
 *   waiting ──lease──▶ projecting ──lease lost──▶ waiting … ──stop()──▶ stopped
 *
 * One step at a time: a transaction of events, or a duty that is due (renew the lease, release jobs whose time has come,
 * remove what is too old, rebuild). A store or broker that is away is waited for; nothing is skipped.
 */
export class Projector {
  readonly lease: Lease;
  readonly #lag: LagMeter;
  readonly #projection: Projection;
  readonly #retain: Retain;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #projecting = false;
  #projected = 0;

  constructor(private readonly options: ProjectorOptions) {
    const { broker, database, kinds, prefix, retention } = options;
    this.lease = new Lease(database);
    this.#lag = new LagMeter(broker, prefix);
    this.#projection = new Projection(database, this.lease, kinds);
    this.#retain = new Retain(database, this.lease, retention);
  }

  /** True while this replica projects. */
  get projecting(): boolean {
    return this.#projecting;
  }

  /** How far the records are behind, while this replica projects and knows it. Milliseconds. */
  get lagMs(): number | undefined {
    return this.#projecting ? this.#lag.lagMs : undefined;
  }

  /** Events that this replica has projected. */
  get projected(): number {
    return this.#projected;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends after the step that is under way, and lets another replica go on at once. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { log } = this.options;
    for (let failures = 0; !this.#stopping.signal.aborted;) {
      try {
        if (await this.lease.take()) {
          log.info('this replica projects the events');
          await this.#project();
          failures = 0;
        }
        await this.#pause(this.lease.renewEveryMs);
      } catch (err) {
        if (err instanceof LeaseLost) log.warn('another replica projects the events now');
        else log.error({ err }, 'events cannot be projected; it is tried again');
        await this.#pause(Math.min(longestPauseMs, 100 * 2 ** failures++));
      } finally {
        this.#projecting = false;
        this.#lag.forget();
      }
    }
    await this.lease.release().catch(() => undefined);
  }

  async #project(): Promise<void> {
    const { broker, database, kinds, prefix } = this.options;
    await broker.declare(eventsTopology(prefix));
    await kinds.load(database);
    this.#projecting = true;
    for (let again = true; again && !this.#stopping.signal.aborted;) {
      await this.#noticeNewStream();
      const state = await readState(database);
      const inbox = new Inbox();
      const reading = await this.#read(inbox, state.nextOffset - state.streamBase);
      try {
        again = await this.#work(inbox, state.streamBase);
      } finally {
        await reading.close();
      }
      if (again) await this.#rebuild();
    }
  }

  #read(inbox: Inbox, nextOffset: number): Promise<StreamReading> {
    const { broker, prefix, log } = this.options;
    let first = true;
    return broker.readStream({
      stream: eventsStream(prefix),
      from: nextOffset === 0 ? 'first' : nextOffset,
      prefetch,
      onMessage(message) {
        if (first && message.offset > nextOffset && nextOffset > 0) {
          log.error(
            { projectedTo: nextOffset, streamBegins: message.offset },
            'events went from the stream before they were projected: their jobs are recorded in part or not at all',
          );
        }
        first = false;
        inbox.put(message);
      },
    });
  }

  /**
   * A stream that was deleted and declared again counts from 0. Its places follow those of the one before, of which nothing
   * more is to be had.
   */
  async #noticeNewStream(): Promise<void> {
    const { database, log } = this.options;
    const { nextOffset, streamBase } = await readState(database);
    if (nextOffset === streamBase) return;
    const last = await this.#offsetOf('next');
    if (last === undefined || last >= nextOffset - streamBase) return;
    log.warn('the stream of events was deleted and declared again; it is read from its beginning');
    await database.transaction(async (transaction) => {
      await this.lease.confirm(transaction);
      await transaction.query(`UPDATE monitor_projection SET stream_base = $1 WHERE id = 1`, [nextOffset]);
    });
  }

  /** Offset of the first message of the stream, or of one that comes now; undefined where none comes. */
  async #offsetOf(from: 'first' | 'next'): Promise<number | undefined> {
    const { broker, prefix } = this.options;
    const inbox = new Inbox();
    const onMessage = (message: StreamMessage) => inbox.put(message);
    const reading = await broker.readStream({ stream: eventsStream(prefix), from, prefetch: 1, onMessage });
    try {
      await this.#lag.send(); // so that there is one
      await inbox.filled(longestPauseMs, this.#stopping.signal);
      return inbox.take()[0]?.offset;
    } finally {
      await reading.close();
    }
  }

  /** Works until the end, or until a rebuild is asked for. @returns whether one is. */
  async #work(inbox: Inbox, streamBase: number): Promise<boolean> {
    const { database, kinds, onWatch, watchEveryMs, log } = this.options;
    const duties = new Duties();
    let asked = false;
    let retaining = false;
    let next = 0;
    duties.every(this.lease.renewEveryMs, async () => {
      if (!(await this.lease.take())) throw new LeaseLost();
      asked = await this.#tellLag();
    });
    duties.every(dueEveryMs, () => this.#releaseDue());
    duties.every(markEveryMs, async () => void this.#lag.send()); // nothing waits for it
    duties.every(retainEveryMs, async () => void (retaining = true));
    let watching: Promise<void> | undefined;
    duties.every(watchEveryMs, async () => {
      watching ??= onWatch(this.#lag.lagMs)
        .catch((err: unknown) => log.warn({ err }, 'the alerts could not be looked at; it is tried again'))
        .finally(() => (watching = undefined));
    });
    while (!this.#stopping.signal.aborted && !asked) {
      const messages = inbox.take();
      this.#refuseOtherStream(messages, next);
      if (messages.length > 0) {
        next = messages.at(-1)!.offset + 1;
        const projected = await this.#projection.apply(
          messages.map(({ offset, read }) => ({ offset: streamBase + offset, ...read })),
        );
        this.#projected += projected.events;
        for (const message of messages) message.ack();
        const marker = projected.lastSeqs.get(this.#lag.instance);
        if (marker !== undefined) this.#lag.seen(marker);
        await new Promise((resolve) => setImmediate(resolve)); // requests get their turn
      } else if (retaining) {
        retaining = await this.#retain.step(Date.now());
      } else {
        await inbox.filled(Math.min(duties.dueInMs, 1_000), this.#stopping.signal);
      }
      await duties.run();
      await kinds.load(database);
    }
    return asked;
  }

  /** What shows that the stream is not the one any more that was read so far: it is looked at anew then. */
  #refuseOtherStream([first]: readonly WaitingMessage[], next: number): void {
    if (first ? first.offset < next : (this.#lag.lagMs ?? 0) > stalledMs) {
      throw new Error('the stream of events has begun anew, or stands still; it is read again');
    }
  }

  /** Tells the other replicas how it stands. @returns whether somebody asks for a rebuild. */
  async #tellLag(): Promise<boolean> {
    const { rows } = await this.options.database.query<{ rebuild_asked: number }>(
      `UPDATE monitor_projection SET lag_ms = $1 WHERE id = 1 RETURNING rebuild_asked`,
      [this.#lag.lagMs ?? null],
    );
    return rows[0]?.rebuild_asked === 1;
  }

  async #releaseDue(): Promise<void> {
    const { database, kinds } = this.options;
    const { rows } = await database.query(
      `SELECT seq FROM monitor_jobs WHERE due_at IS NOT NULL AND due_at <= $1 LIMIT 1`,
      [Date.now()],
    );
    if (rows.length === 0) return;
    await database.transaction(async (transaction) => {
      await this.lease.confirm(transaction);
      const { nextSeq } = await readState(transaction);
      const writes = new JobWrites(transaction, kinds.within(transaction), nextSeq);
      await writes.release(Date.now());
      await writes.write();
    });
  }

  async #rebuild(): Promise<void> {
    const { database, log } = this.options;
    log.info('the records are built anew from the stream');
    const { streamBase } = await readState(database);
    const first = await this.#offsetOf('first');
    if (first !== undefined) await rebuild(database, this.lease, streamBase + first);
    else log.error('the stream does not answer; the rebuild is tried again');
  }

  #pause(ms: number): Promise<void> {
    return new Inbox().filled(ms, this.#stopping.signal);
  }
}

/** What is done every so often, beside the events. */
class Duties {
  readonly #duties: { everyMs: number; dueAt: number; run: () => Promise<void> }[] = [];

  every(everyMs: number, run: () => Promise<void>): void {
    this.#duties.push({ everyMs, dueAt: 0, run });
  }

  get dueInMs(): number {
    return Math.max(0, Math.min(...this.#duties.map(({ dueAt }) => dueAt)) - Date.now());
  }

  async run(): Promise<void> {
    for (const duty of this.#duties) {
      if (duty.dueAt > Date.now()) continue;
      duty.dueAt = Date.now() + duty.everyMs;
      await duty.run();
    }
  }
}
