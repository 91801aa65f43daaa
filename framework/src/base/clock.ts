/** Where time comes from. Everything that waits or asks for the time does it here, so a test can own the time. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `fire` once after `ms`. The timer keeps the process alive unless `background` is set. */
  setTimer(ms: number, fire: () => void, background?: boolean): Timer;
}

export interface Timer {
  cancel(): void;
}

/** Node fires a longer timer at once. */
const longestTimeoutMs = 2 ** 31 - 1;

/** The time of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(ms, fire, background = false) {
    const timeout = setTimeout(fire, Math.min(ms, longestTimeoutMs));
    if (background) timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  },
};

/** Resolves after `ms` on `clock`, or at once when `signal` aborts. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.setTimer(ms, done);
    signal?.addEventListener('abort', done);
  });
}
