/** What a worker saw of its slots since the last look. */
export interface SlotUse {
  /** Milliseconds, from any start. */
  now: number;
  /** Attempts that began and ended under the present limit, and how long they had their slots, together. */
  ended: number;
  busyMs: number;
  /** All that ended, whenever they began, and how long they had their slots. */
  allEnded: number;
  allBusyMs: number;
  /** Attempts that ended, whenever they began, and left a slot empty because no job was in hand. */
  hungry: number;
  /** How long slots were in use, together. */
  slotMs: number;
  /** How late the event loop is. */
  lagMs: number;
  /** Part of the memory that the process may have that is in use, 0 to 1. */
  memory: number;
  /** No more than this now, whatever the bounds: what is in hand would take too much memory. */
  most: number;
}

export interface ConcurrencyBounds {
  from: number;
  min: number;
  max: number;
}

/** One setting, as it was measured. */
interface Level {
  limit: number;
  latencyMs: number;
  /** Throughput. */
  perMs: number;
}

interface Trial {
  kind: 'up' | 'down' | 'relief';
  from: Level;
  /** Windows in which slots stood empty and no more was done than before. */
  hungryWindows: number;
}

/** A window is judged after this long, and this many attempts or one for each slot. */
const windowMs = 200;
const fewestEnded = 10;

/** Attempts that wait end in cohorts; in a window of fewer generations than this they are not counted. */
const countedGenerations = 4;

/** A step up is kept when each doubling brings this much more throughput; a step down when it costs no more than that. */
const worthKeeping = 0.08;
const mayCost = 0.03;

/** The handler itself has changed when its latency has, by this factor, at the same setting. */
const changed = 1.5;

const restMs = 3_000;
const longestHungryMs = 1_000;
const lagLimitMs = 200;
const lagRestMs = 30_000;
const ceilingMs = 60_000;
const memoryLimit = 0.9;
const memoryCalm = 0.75;
const memoryRestMs = 1_000;

/**
 * Finds how many attempts of a queue should run at a time: the fewest that bring about the most throughput.
 *
 * By the gradient of latency over concurrency: where twice the slots have the same latency, twice as much is done; where
 * latency doubles too, jobs only wait inside instead of outside. It tries a step, measures attempts that began under it,
 * and keeps it or goes back:
 *
 *   climbing ──a step up brings nothing──▶ resting ──every 3 s a step, down and up by turns──▶ resting
 *      ▲                                     │
 *      └──step down to see whether it was us──┴── latency changed by half: the handler is another one now
 *
 * A loop that is late, or memory that runs out, halve the limit at once; where less concurrency does not help the
 * loop, somebody else keeps it busy, and it is let be. Where slots stood empty, latency says nothing of more of them: the
 * step is kept if more was done by count.
 *
 * Pure: time and measurements come in, the limit goes out.
 */
export class ConcurrencyControl {
  #limit: number;
  readonly #bounds: ConcurrencyBounds;
  #reference: Level | undefined;
  #trial: Trial | undefined;
  #factor = 2;
  #next: 'up' | 'down' = 'up';
  #nextAt = 0;
  #since: number | undefined;
  #ended = 0;
  #busyMs = 0;
  #allEnded = 0;
  #allBusyMs = 0;
  #hungry = 0;
  #slotMs = 0;
  #lagMs = 0;
  #lagLetBeUntil = 0;
  /** With more slots than this the loop was late. */
  #ceiling = Infinity;
  #ceilingUntil = 0;
  #shrunkAt = -Infinity;

  constructor(bounds: ConcurrencyBounds) {
    this.#bounds = bounds;
    this.#limit = bounds.from;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Takes in what was seen, several times a second; the limit may be another one afterwards. */
  observe(use: SlotUse): void {
    this.#add(use);
    if (this.#limit > Math.max(use.most, this.#bounds.min)) this.#restart(use.most, use.now);
    else if (use.memory >= memoryLimit) this.#spareMemory(use.now);
    else if (this.#trial?.kind === 'relief') this.#judgeRelief(this.#trial, use);
    else if (this.#lagMs >= lagLimitMs && use.now >= this.#lagLetBeUntil && this.#limit > this.#bounds.min)
      this.#relieve(use.now);
    else if (this.#complete(use.now)) this.#judge(use);
    else if (use.now - this.#since! >= longestHungryMs && this.#starved(use.now)) this.#judgeHungry(use.now);
  }

  #add({ now, ended, busyMs, allEnded, allBusyMs, hungry, slotMs, lagMs }: SlotUse): void {
    this.#since ??= now;
    this.#ended += ended;
    this.#busyMs += busyMs;
    this.#allEnded += allEnded;
    this.#allBusyMs += allBusyMs;
    this.#hungry += hungry;
    this.#slotMs += slotMs;
    this.#lagMs += (lagMs - this.#lagMs) / 2;
  }

  #complete(now: number): boolean {
    const leastMs = Math.max(windowMs, this.#starved(now) ? this.#countedMs : 0);
    return now - this.#since! >= leastMs && this.#ended >= Math.max(fewestEnded, this.#limit);
  }

  /** How long a window must be for throughput to be counted. */
  get #countedMs(): number {
    return (countedGenerations * this.#allBusyMs) / this.#allEnded;
  }

  /** Attempts left their slots empty. */
  get #hungers(): boolean {
    return this.#hungry > 0.2 * this.#ended;
  }

  /** Slots stood empty for so long that nothing follows from latency. */
  #starved(now: number): boolean {
    return this.#hungers && this.#running(now) < 0.8 * this.#limit;
  }

  /** Mean number of slots in use. */
  #running(now: number): number {
    return this.#slotMs / (now - this.#since!);
  }

  #judge(use: SlotUse): void {
    const { now } = use;
    if (this.#starved(now)) return this.#judgeHungry(now);
    const latencyMs = this.#busyMs / this.#ended;
    // By Little's law: throughput is concurrency by latency.
    const running = this.#running(now);
    const perMs = (this.#hungers ? running : this.#limit) / latencyMs;
    const level = { limit: this.#limit, latencyMs, perMs };
    if (running < this.#limit / 2) {
      // Handlers that never wait: one after another, however many slots there are.
      this.#restart(Math.max(Math.ceil(2 * running), Math.floor(this.#limit / 2)), now);
      return;
    }
    const trial = this.#trial;
    this.#trial = undefined;
    if (!trial || !this.#reference) this.#judgeRest(level, use);
    else if (trial.kind === 'up') this.#judgeUp(trial, level, use);
    else this.#judgeDown(trial, level, use);
  }

  /** The slots were not filled: the queue is empty, the prefetch has not followed yet, or the broker brings no more. */
  #judgeHungry(now: number): void {
    const trial = this.#trial;
    const ms = now - this.#since!;
    const latencyMs = this.#allBusyMs / this.#allEnded;
    const level = { limit: this.#limit, latencyMs, perMs: this.#allEnded / ms };
    if (trial?.kind === 'up' && ms >= this.#countedMs && worthIt(trial.from, level)) {
      this.#trial = undefined;
      this.#reference = level;
      this.#next = 'up';
      this.#nextAt = now; // as soon as the slots are filled
    } else if (trial && ++trial.hungryWindows >= 3) {
      this.#trial = undefined;
      this.#set(trial.from.limit, now);
      this.#rest(now);
    }
    this.#clear(now);
  }

  #judgeRest(level: Level, use: SlotUse): void {
    const before = this.#reference;
    const { now } = use;
    const ratio = before ? level.latencyMs / before.latencyMs : 1;
    if (!before || ratio < 1 / changed) {
      this.#reference = level;
      this.#factor = 2;
      this.#try('up', use);
    } else if (ratio > changed) {
      this.#reference = level;
      this.#factor = 2;
      this.#try('down', use);
      this.#nextAt = now;
      this.#next = 'up';
    } else {
      before.latencyMs += 0.3 * (level.latencyMs - before.latencyMs);
      before.perMs += 0.3 * (level.perMs - before.perMs);
      if (now >= this.#nextAt) this.#try(this.#next, use);
      else this.#clear(now);
    }
  }

  #judgeUp({ from }: Trial, level: Level, use: SlotUse): void {
    if (worthIt(from, level)) {
      this.#reference = level;
      this.#try('up', use);
      return;
    }
    this.#set(from.limit, use.now);
    if (this.#factor === 2) {
      this.#factor = 1.5;
      this.#try('up', use);
    } else {
      this.#next = 'down';
      this.#rest(use.now);
    }
  }

  #judgeDown({ from }: Trial, level: Level, use: SlotUse): void {
    if (level.perMs >= from.perMs * (1 - mayCost)) {
      this.#reference = level;
      this.#try('down', use);
      return;
    }
    this.#set(from.limit, use.now);
    if (this.#next === 'up' && this.#nextAt <= use.now) {
      this.#try('up', use); // the handler is slower by itself: with more slots as much may be done as before
    } else {
      this.#factor = 1.5;
      this.#next = 'up';
      this.#rest(use.now);
    }
  }

  #try(kind: 'up' | 'down', { now, most, memory }: SlotUse): void {
    const { min } = this.#bounds;
    const max = now < this.#ceilingUntil ? this.#ceiling : this.#bounds.max;
    const limit =
      kind === 'up'
        ? Math.min(max, most, Math.max(this.#limit + 1, Math.round(this.#limit * this.#factor)))
        : Math.max(min, Math.min(this.#limit - 1, Math.round(this.#limit / this.#factor)));
    const mayGrow = memory < memoryCalm && this.#lagMs < lagLimitMs;
    const possible = kind === 'up' ? limit > this.#limit && mayGrow : limit < this.#limit;
    if (possible) {
      this.#trial = { kind, from: this.#reference!, hungryWindows: 0 };
      this.#set(limit, now);
    } else {
      this.#next = kind === 'up' ? 'down' : 'up';
      this.#factor = 1.5;
      this.#rest(now);
    }
  }

  #relieve(now: number): void {
    const from = { limit: this.#limit, latencyMs: this.#lagMs, perMs: 0 };
    this.#trial = { kind: 'relief', from, hungryWindows: 0 };
    this.#set(Math.floor(this.#limit / 2), now);
  }

  /** Whether half as many slots made the loop less late. */
  #judgeRelief({ from }: Trial, { now }: SlotUse): void {
    if (now - this.#since! < 3 * windowMs) return;
    this.#trial = undefined;
    if (this.#lagMs > 0.75 * from.latencyMs) {
      this.#lagLetBeUntil = now + lagRestMs;
      this.#set(from.limit, now);
    } else {
      this.#reference = undefined;
      this.#ceiling = Math.max(this.#limit, Math.floor(0.75 * from.limit));
      this.#ceilingUntil = now + ceilingMs;
      this.#clear(now);
    }
  }

  #spareMemory(now: number): void {
    if (now - this.#shrunkAt < memoryRestMs) return;
    this.#shrunkAt = now;
    this.#restart(Math.floor(this.#limit / 2), now);
  }

  /** A limit that follows from no trial; what was learnt of others counts no more. */
  #restart(limit: number, now: number): void {
    this.#trial = undefined;
    this.#reference = undefined;
    this.#set(limit, now);
  }

  #rest(now: number): void {
    this.#nextAt = now + restMs;
    this.#clear(now);
  }

  #set(limit: number, now: number): void {
    this.#limit = Math.min(this.#bounds.max, Math.max(this.#bounds.min, limit));
    this.#clear(now);
  }

  #clear(now: number): void {
    this.#since = now;
    this.#ended = this.#busyMs = this.#allEnded = this.#allBusyMs = 0;
    this.#hungry = this.#slotMs = 0;
  }
}

/** Whether a step up brings enough. */
function worthIt(from: Level, to: Level): boolean {
  const doublings = Math.log2(to.limit / from.limit);
  return to.perMs >= from.perMs * (1 + worthKeeping * doublings);
}
