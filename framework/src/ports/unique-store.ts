/** Who enqueues a job of a key. */
export interface UniqueClaim {
  readonly key: string;
  /** Id of the job. */
  readonly job: string;
}

export type UniqueAnswer =
  /** The job is the first: it is to be sent, and then to be told as sent. */
  | { kind: 'first' }
  /** There is one already. */
  | { kind: 'held'; job: string }
  /** Somebody is sending one, or crashed while he did. */
  | { kind: 'sending' };

/** A payload that came later than the job it is for. */
export interface NewestPayload {
  /** JSON. */
  body: string;
  /** The job is not to start before this is over. Milliseconds. */
  delayMs: number;
  /** How long the payload is kept at least, if the job is never heard of again. */
  keepForMs: number;
}

export type TakenPayload =
  /** Not yet: somebody put the job off. */
  | { kind: 'later'; inMs: number }
  /** The job starts; with another body than its own, if one came. */
  | { kind: 'start'; body: string | undefined };

/**
 * Remembers which jobs are unique, and the newest payload for one that waits.
 *
 * All moments are those of the store: clocks that differ between hosts do no harm. Every method rejects with a StoreError
 * when the store cannot be had.
 */
export interface UniqueStore {
  /**
   * Of all who claim a key at once, in any process, one is the first. Who does not say `sent` within `leaseMs` has lost it.
   * May be repeated by the same job until then.
   */
  claim(claim: UniqueClaim, leaseMs: number): Promise<UniqueAnswer>;

  /** The job is enqueued: the key is held for `forMs`. Nothing happens when the claim was lost, or the job has ended by now. */
  sent(claim: UniqueClaim, forMs: number): Promise<void>;

  /**
   * Gives the job that holds the key another payload, unless it has started.
   * @returns its id; undefined when there is none any more: then it is to be claimed again.
   */
  replace(key: string, newest: NewestPayload): Promise<string | undefined>;

  /** The job is about to start: from here on the next of its key is another job. May be repeated for each attempt. */
  take(claim: UniqueClaim): Promise<TakenPayload>;

  /** The job has ended, or could not be enqueued: the key is free, its newest payload forgotten. */
  end(claim: UniqueClaim): Promise<void>;

  /** Deletes what is over, in small steps; returns how much. Also done now and then by itself. */
  prune(): Promise<number>;

  /** Waits for what is under way. */
  close(): Promise<void>;
}
