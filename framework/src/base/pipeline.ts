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

/**
 * A step that passes its result to `done`, once, now or later, instead of returning it: a promise for each step and job
 * costs more than all that most steps do. It may pass `done` on to `next` as it is.
 */
export type PassingStep<Subject, Result> = (
  subject: Subject,
  next: (then: (result: Result) => void) => void,
  done: (result: Result) => void,
) => void;

/** As `compose`, of steps that pass their results on. */
export function composePassing<Subject, Result>(
  steps: readonly PassingStep<Subject, Result>[],
  last: (subject: Subject, done: (result: Result) => void) => void,
): (subject: Subject, done: (result: Result) => void) => void {
  return steps.reduceRight<typeof last>(
    (rest, step) => (subject, done) => step(subject, (then) => rest(subject, then), done),
    last,
  );
}
