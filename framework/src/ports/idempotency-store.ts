import type { Queryable } from './database.js';

/** The right to do the work of a key, until it is completed, released, or lost because nobody was there to renew it. */
export interface Claim {
  readonly key: string;
  /** Another for each claim, so that a holder who comes too late changes nothing. */
  readonly token: string;
}

export type ClaimAnswer =
  | { kind: 'claimed'; claim: Claim }
  /** The work was done before; its result as JSON, where it had one that was kept. */
  | { kind: 'done'; result: string | undefined }
  /** Somebody else holds it, and loses it after `leftMs` unless it is renewed. */
  | { kind: 'busy'; leftMs: number };

/**
 * Remembers which work was done.
 *
 * Of all who claim a key at once, in any process, one gets it. A claim is renewed for as long as the process lives that
 * holds it; after a crash it lapses when its lease is over. All moments are those of the store: clocks that differ between
 * hosts do no harm. Every method rejects with a StoreError when the store cannot be had.
 */
export interface IdempotencyStore {
  /**
   * @param key 1 to 400 characters of well-formed text without NUL.
   * @param leaseMs how long it is claimed after a crash.
   * @param keepForMs how long it will be known as done, about: a store may use it to find what is over.
   */
  claim(key: string, leaseMs: number, keepForMs: number): Promise<ClaimAnswer>;

  /**
   * The work is done: `claim` answers `done` to everybody for `keepForMs`. Safe to call again.
   * @param on a transaction of the same store, in which it is written then, so that it is done if and when that is committed.
   * @returns false when the claim was lost meanwhile; nothing is written then.
   */
  complete(claim: Claim, done: Completion, on?: Queryable): Promise<boolean>;

  /** The work was not done: the next who asks gets the key. */
  release(claim: Claim): Promise<void>;

  /** Deletes keys whose time is over, in small steps that hold up nobody; returns how many. Also done now and then by itself. */
  prune(): Promise<number>;

  /** Waits for what is under way. Claims that are held lapse. */
  close(): Promise<void>;
}

export interface Completion {
  /** JSON; undefined keeps none. */
  result: string | undefined;
  keepForMs: number;
}
