/** What a worker saw of its deliveries since the last look. */
export interface Flow {
  /** Milliseconds, from any start. */
  now: number;
  /** Slots. */
  concurrency: number;
  /** Attempts that ended, for each millisecond. */
  perMs: number;
  /** Part of the attempts that left a slot empty when they ended, 0 to 1. */
  hungry: number;
  /** The shortest time from the end of an attempt to the delivery that its ack made room for, where one was seen. */
  roundTripMs: number | undefined;
  /** The shortest time that the broker took to answer. */
  answerMs: number;
  /** Most jobs that were in hand because they were not due yet. */
  early: number;
  /** Mean size of a job. */
  meanBytes: number;
  /** Mean number of jobs in a message. Default 1: no packs. */
  packed?: number;
}

export interface PrefetchBounds {
  /** Queues that have this prefetch each. */
  lanes: number;
  /** Bytes in hand, all lanes together; one job for each slot may be in hand whatever its size. */
  mostBytes: number;
}

/** As long as no round trip was seen. */
const guessedRoundTripMs = 5;

/**
 * Between the end of an attempt and the next delivery lie two answers of the broker, one for the event and one for the ack, and
 * its disk, for which this is enough. Whatever more it takes is only spent behind other jobs in hand.
 */
const longestWorkMs = 10;

/** The broker counts up to this, and more were never of use. */
const mostJobs = 20_000;

/** Slots may stand empty so often without anything being done. */
const mayHunger = 0.02;

/** What lies here for this long before it is started could be started by another worker. */
const longestLieMs = 50;
/** Slots that stand empty between bursts are given no more than this lets them do. */
const longestBurstMs = 30;
const shrinkAfterMs = 1_000;

/** A change holds deliveries up; for empty slots it is made if at least this much more is in hand beyond the slots. */
const leastGrowth = 1.1;

/** What was seen is remembered for one to two times this long. */
const rememberedMs = 5_000;

/**
 * Finds the prefetch of a queue: one job for each slot, and as many more as are done while the broker hears of a
 * settled one and sends the next (Little's law: rate × round trip), twice, because rates vary. More would only lie
 * here while other workers might have it.
 *
 * The round trip is the shortest of the last seconds, and hardly longer than the answers of the broker account for: where
 * client or broker is busy it is longer the more is in hand, and a prefetch that follows it grows without end.
 *
 * It grows when slots stand empty, when there are more slots, and for jobs that are not due yet; it shrinks when for a
 * second much more was in hand than is needed. Pure: time and measurements come in.
 */
export class PrefetchControl {
  readonly #early = new RecentExtreme(Math.max);
  readonly #roundTrip = new RecentExtreme(Math.min);
  #perMs = 0;
  #concurrency = Infinity;
  #tooMuchSince: number | undefined;

  constructor(
    private readonly bounds: PrefetchBounds,
    /** What the consumers have. */
    public prefetch: number,
  ) {}

  /** A prefetch that should take the place of the present one, if any. */
  better(flow: Flow): number | undefined {
    const { now, concurrency, hungry, meanBytes, packed = 1 } = flow;
    const underWay = this.#underWay(flow);
    this.#early.add(now, flow.early);
    const early = 2 * (this.#early.value ?? 0);
    const moreSlots = concurrency > this.#concurrency;
    this.#concurrency = concurrency;
    const held = this.prefetch * packed;
    const spare = Math.max(0, held - concurrency);
    const hungers = hungry > mayHunger;
    const most = Math.max(underWay, longestBurstMs * this.#perMs) + 16;
    const more = hungers ? Math.min(2 * Math.max(2, spare), most) : 0;
    const wanted = concurrency + early + Math.ceil(Math.max(underWay, more));
    const target = Math.max(concurrency, Math.min(wanted, this.most(meanBytes)));
    // A message counts until the last of its jobs is settled, so up to a whole one of what is held may be done already.
    const messages = Math.ceil((target + packed - 1) / packed);
    const needed = moreSlots || held < concurrency + early;
    const enoughMore = hungers && target - concurrency >= leastGrowth * spare;
    if (messages > this.prefetch && (needed || enoughMore)) {
      this.#tooMuchSince = undefined;
      return messages;
    }
    const mayLie = early + 2 * underWay + longestLieMs * this.#perMs + 2 * packed;
    if (hungers || spare <= mayLie || messages >= this.prefetch) this.#tooMuchSince = undefined;
    else if (now - (this.#tooMuchSince ??= now) >= shrinkAfterMs) return messages;
    return undefined;
  }

  /** As many jobs as the bytes allow, in each lane. */
  most(meanBytes: number): number {
    const { mostBytes, lanes } = this.bounds;
    return Math.max(1, Math.min(mostJobs, Math.floor(mostBytes / lanes / Math.max(1, meanBytes))));
  }

  /** Jobs that are done while the broker hears of one, twice. */
  #underWay({ now, perMs, roundTripMs, answerMs }: Flow): number {
    this.#perMs = Math.max(perMs, this.#perMs + 0.3 * (perMs - this.#perMs));
    if (roundTripMs !== undefined) this.#roundTrip.add(now, roundTripMs);
    const longest = 2 * answerMs + longestWorkMs;
    const roundTrip = Math.min(longest, this.#roundTrip.value ?? guessedRoundTripMs);
    return Math.max(1, Math.ceil(2 * this.#perMs * roundTrip));
  }
}

/** The most, or the least, of what was seen lately. */
class RecentExtreme {
  #since = -Infinity;
  #now: number | undefined;
  #before: number | undefined;

  constructor(private readonly of: (...values: number[]) => number) {}

  /** Undefined as long as nothing was seen. */
  get value(): number | undefined {
    const seen = [this.#now, this.#before].filter((value) => value !== undefined);
    return seen.length > 0 ? this.of(...seen) : undefined;
  }

  add(at: number, seen: number): void {
    if (at - this.#since >= rememberedMs) {
      this.#since = at;
      this.#before = this.#now;
      this.#now = seen;
    } else {
      this.#now = this.of(this.#now ?? seen, seen);
    }
  }
}
