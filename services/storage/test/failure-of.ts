import { AssertionError } from 'chai';

/** The error a promise is rejected with; fails when it is fulfilled. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  const [error] = await failuresOf([promise]);
  return error!;
}

/** The errors of promises that run at once; fails when one is fulfilled. */
export async function failuresOf(promises: Promise<unknown>[]): Promise<Error[]> {
  const outcomes = await Promise.allSettled(promises);
  return outcomes.map((outcome, at) => {
    if (outcome.status === 'rejected' && outcome.reason instanceof Error) return outcome.reason;
    throw new AssertionError(`expected promise ${at} to be rejected with an Error`);
  });
}
