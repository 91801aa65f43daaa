/** One step around the rest: it may act before and after `next`, change what it returns, or not call it. */
export type Step<Subject, Result> = (subject: Subject, next: () => Promise<Result>) => Promise<Result>;

/** A step that makes no promise of its own: what it returns is one only if it, or the rest, has something to wait for. */
export type LightStep<Subject, Result> = (
  subject: Subject,
  next: () => Result | Promise<Result>,
) => Result | Promise<Result>;

/** A step in the place of a light one. */
export function asLight<Subject, Result>(step: Step<Subject, Result>): LightStep<Subject, Result> {
  return (subject, next) => step(subject, async () => next());
}

/**
 * Joins steps and a last function into one function; the first step is the outermost. Composed once, at start: with no
 * steps, the last function itself is returned and a job pays nothing.
 */
export function compose<Subject, Result>(
  steps: readonly LightStep<Subject, Result>[],
  last: (subject: Subject) => Result | Promise<Result>,
): (subject: Subject) => Result | Promise<Result> {
  return steps.reduceRight<(subject: Subject) => Result | Promise<Result>>(
    (rest, step) => (subject) => step(subject, () => rest(subject)),
    last,
  );
}
