/** The error that a promise must reject with. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
    throw new Error(`rejected with something that is no Error: ${String(error)}`, { cause: error });
  }
  throw new Error('it was fulfilled, and should have been rejected');
}
