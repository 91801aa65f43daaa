import { describe, OptionError } from './errors.js';

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** A length of time: milliseconds as a number, or a number with its unit, such as `'250ms'`, `'30s'`, `'1.5h'`. */
export type Duration = number | `${number}${keyof typeof unitMs}`;

export const dayMs = unitMs.d;

/**
 * Milliseconds of a duration.
 * @param what names the option in the error, such as `delay of job "email.send"`.
 * @throws OptionError when it is no duration, negative, or not finite.
 */
export function durationMs(value: Duration, what: string): number {
  const ms = typeof value === 'number' ? value : parse(value);
  if (ms === undefined || !Number.isFinite(ms) || ms < 0) {
    throw new OptionError(`${what} is ${describe(value)}.`, {
      mend: "Give milliseconds as a number of at least 0, or text such as '500ms', '30s', '10m', '2h', '7d'.",
    });
  }
  return Math.round(ms);
}

function parse(text: unknown): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/.exec(typeof text === 'string' ? text.trim() : '');
  return match ? Number(match[1]) * unitMs[match[2] as keyof typeof unitMs] : undefined;
}

/** Milliseconds for people: `850 ms`, `12.5 s`, `3.0 min`, `2.0 h`, `7.0 d`. */
export function showMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${(ms / 60_000).toFixed(1)} min`;
  if (ms < dayMs) return `${(ms / 3_600_000).toFixed(1)} h`;
  return `${(ms / dayMs).toFixed(1)} d`;
}
