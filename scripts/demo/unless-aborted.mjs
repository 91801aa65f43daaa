/**
 * What a promise resolves with, unless the signal is aborted first. What is being waited for goes on then, but nobody
 * waits for it.
 *
 * @template Result
 * @param {Promise<Result>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<Result>}
 * @throws the reason of the signal.
 */
export async function unlessAborted(promise, signal) {
  signal.throwIfAborted();
  /** @type {() => void} */
  let stopListening = () => undefined;
  const aborted = new Promise((resolve) => {
    signal.addEventListener('abort', resolve);
    stopListening = () => signal.removeEventListener('abort', resolve);
  });
  try {
    await Promise.race([promise, aborted]);
    signal.throwIfAborted();
    return await promise;
  } finally {
    stopListening();
  }
}
