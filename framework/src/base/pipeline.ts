/** One step around the rest: it may act before and after `next`, change what it returns, or not call it. */
export type Step<Subject, Result> = (subject: Subject, next: () => Promise<Result>) => Promise<Result>;

/**
 * Joins steps and a last function into one function; the first step is the outermost. Composed once, at start: with no
 * steps, the last function itself is returned and a job pays nothing.
 */
export function compose<Subject, Result>(
  steps: readonly Step<Subject, Result>[],
  last: (subject: Subject) => Promise<Result>,
): (subject: Subject) => Promise<Result> {
  return steps.reduceRight<(subject: Subject) => Promise<Result>>(
    (rest, step) => (subject) => step(subject, () => rest(subject)),
    last,
  );
}
