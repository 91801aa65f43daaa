import { SqlUniqueStore } from '../adapters/sql/sql-unique-store.js';
import { type Clock, pause } from '../base/clock.js';
import { StoreError } from '../base/errors.js';
import { header } from '../model/envelope.js';
import type { Sending } from '../model/filter.js';
import { type Uniqueness, writeUniqueMark } from '../model/unique.js';
import type { Database } from '../ports/database.js';
import type { UniqueStore } from '../ports/unique-store.js';

export interface UniqueJobsOptions {
  clock: Clock;
  prefix: string;
  /** Instead of keys in the database. */
  uniqueStore?: UniqueStore | undefined;
  /** Undefined when none is configured. */
  openDatabase: () => Promise<Database> | undefined;
}

/** After this a producer that has not said that its job is sent is taken for crashed. */
const leaseMs = 30_000;
/** How often it is looked whether somebody else has sent the job. */
const lookEveryMs = 50;
/** How long a payload outlives its key, for a job that waits longer than that. */
const newestLeftMs = 30 * 86_400_000;

/**
 * Enqueues a job for one of all who ask for it with the same key:
 *
 *   claim ──first──▶ send ──confirmed──▶ sent: held until `for` is over, or the job has started or ended
 *     │                └──failed──▶ end: free
 *     ├──sending──▶ claim again a little later
 *     └──held──▶ id of the first; `replace`, `keep-last`: its payload is replaced
 *
 * The store is opened when the first such job comes.
 */
export class UniqueJobs {
  #opening: Promise<UniqueStore> | undefined;

  constructor(private readonly options: UniqueJobsOptions) {}

  /** @throws StoreError: `JR_STORE_UNSET` where none is configured. */
  store(): Promise<UniqueStore> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /**
   * @param send sends the job as it is given.
   * @param delayMs how long it has to wait.
   * @returns id of the job that there is.
   * @throws what `send` throws; StoreError.
   */
  async enqueue(
    sending: Sending,
    { on, key: given, forMs }: Uniqueness,
    delayMs: number,
    send: () => void | Promise<void>,
  ): Promise<{ id: string }> {
    const store = await this.store();
    const { clock, prefix } = this.options;
    const { contract, id, message } = sending;
    const key = `${prefix}:${contract.name}:${on}:${given}`;
    const claim = { key, job: id };
    for (;;) {
      const answer = await store.claim(claim, leaseMs);
      if (answer.kind === 'first') break;
      if (answer.kind === 'sending') {
        await pause(clock, lookEveryMs);
      } else if (on === 'enqueued' || on === 'until-done') {
        return { id: answer.job };
      } else {
        const body = message.body.toString();
        const newest = { body, delayMs: on === 'keep-last' ? delayMs : 0, keepForMs: newestLeftMs };
        const job = await store.replace(key, newest);
        if (job !== undefined) return { id: job };
      }
    }
    if (on !== 'enqueued') message.properties.headers[header.unique] = writeUniqueMark({ on, key });
    try {
      await send();
    } catch (error) {
      await store.end(claim).catch(() => undefined); // it lapses
      throw error;
    }
    // The job is enqueued whatever becomes of this; at worst a second is possible once the claim has lapsed.
    await store.sent(claim, forMs).catch(() => undefined);
    return { id };
  }

  /** The database itself is closed by whom it belongs to. */
  async close(): Promise<void> {
    const store = await this.#opening?.catch(() => undefined);
    if (store !== this.options.uniqueStore) await store?.close();
  }

  async #open(): Promise<UniqueStore> {
    const { uniqueStore } = this.options;
    if (uniqueStore) return uniqueStore;
    const database = await this.options.openDatabase();
    if (database) return SqlUniqueStore.open(database, this.options.clock);
    throw new StoreError('JR_STORE_UNSET', 'A job is to be unique, but no store is configured.', {
      mend: 'Give the option "store" or set JOBRAIL_STORE_URL, the same for producers and services.',
    });
  }
}
