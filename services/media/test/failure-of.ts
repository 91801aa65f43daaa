import { AssertionError } from 'chai';

/** The error that work fails with; it is a failed assertion when it does not. */
export async function failureOf(
  work: Promise<unknown>,
): Promise<Error & { code?: string; permanent?: boolean }> {
  const [outcome] = await Promise.allSettled([work]);
  if (outcome.status === 'rejected' && outcome.reason instanceof Error) return outcome.reason;
  throw new AssertionError('expected the work to fail with an Error');
}
