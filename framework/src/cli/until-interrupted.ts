/** Resolves at SIGINT or SIGTERM, or when nobody reads the output any more. */
export function untilInterrupted(): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      process.off('SIGINT', done).off('SIGTERM', done);
      process.stdout.off('error', done).off('close', done);
      resolve();
    };
    process.on('SIGINT', done).on('SIGTERM', done);
    process.stdout.on('error', done).on('close', done);
  });
}
