import { dayMs } from '../base/duration.js';

/*
 * The delay net: fixed TTL queues, so that a message waits only behind messages of the same TTL and none is held up.
 * A delay is written as seven hexadecimal digits of 256 ms. Level d has a TTL queue for each digit k ≥ 1, with a TTL of
 * k × 16^d × 256 ms; a message enters at the level of its highest non-zero digit, waits there, is dead-lettered to the
 * level below, waits there, and leaves below level 0. Delays are rounded down and aimed early by the margin that hops
 * may be late; the worker holds what is left against `due-at`, so a job is never early and late only by a timer.
 */

export const quantumMs = 256;
export const radix = 16;
export const levels = 7;

/** What hops through the net may be late in all, and so how much earlier a delay is aimed. */
export const marginMs = 150;

/** A job that is due within this is sent straight to its lane; the worker's timer holds it. */
export const holdMs = quantumMs + marginMs;

export const longestDelayMs = 366 * dayMs;

/** The way through the net: a digit for each level, the highest level first. */
export interface DelayRoute {
  /** Level at which the message enters: that of its highest non-zero digit. */
  level: number;
  /** Digits by level: `digits[0]` is the lowest. */
  digits: readonly number[];
}

/** The route for a delay, or undefined when it is so short that the worker's timer alone holds it. */
export function routeDelay(delayMs: number): DelayRoute | undefined {
  let quanta = Math.floor((delayMs - marginMs) / quantumMs);
  if (quanta < 1) return undefined;
  quanta = Math.min(quanta, radix ** levels - 1);
  const digits: number[] = [];
  let level = 0;
  for (let d = 0; d < levels; d++) {
    const digit = quanta % radix;
    digits.push(digit);
    if (digit > 0) level = d;
    quanta = Math.floor(quanta / radix);
  }
  return { level, digits };
}

/** How long a message waits at `level` for `digit`. */
export function levelTtlMs(level: number, digit: number): number {
  return digit * radix ** level * quantumMs;
}

/** How long the net holds a message of this route, before hops are late. */
export function routeMs(route: DelayRoute): number {
  return route.digits.reduce((sum, digit, level) => sum + levelTtlMs(level, digit), 0);
}

/** The routing key: the digits, highest level first, then the token of the lane: `0.0.0.0.1.f.3.email`. */
export function delayRoutingKey(route: DelayRoute, laneToken: string): string {
  return `${[...route.digits]
    .reverse()
    .map((digit) => digit.toString(radix))
    .join('.')}.${laneToken}`;
}
