import { describe, OptionError } from './errors.js';

/**
 * Refuses options that nobody reads, with the nearest known name.
 * @throws OptionError naming the option, the known ones, and the likely one.
 */
export function refuseUnknownOptions(subject: string, given: object, known: readonly string[]): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    throw new OptionError(`${subject} has an unknown option "${name}".`, {
      mend: near ? `Did you mean "${near}"?` : `Known options: ${known.join(', ')}.`,
    });
  }
}

/**
 * A whole number between bounds.
 * @throws OptionError showing the value and the bounds.
 */
export function wholeNumber(
  value: unknown,
  what: string,
  { min, max }: { min: number; max: number },
): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new OptionError(`${what} is ${describe(value)}.`, {
    mend: `Give a whole number from ${min} to ${max}.`,
  });
}

/** The candidate closest to `name`, if one is close enough to be what was meant. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return ranked && ranked.distance <= Math.max(2, Math.floor(name.length / 3)) ? ranked.candidate : undefined;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current[j] = Math.min(previous[j]! + 1, current[j - 1]! + 1, replaced);
    }
    previous = current;
  }
  return previous[b.length]!;
}
