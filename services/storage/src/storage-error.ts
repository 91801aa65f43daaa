/** Every code of a StorageError: what it means, and whether trying the same again is pointless. */
export const storageErrorCodes = {
  STORAGE_URL_INVALID: { permanent: true, means: 'The storage URL cannot be used.' },
  STORAGE_KEY_INVALID: { permanent: true, means: 'A key is malformed or tries to leave the storage.' },
  STORAGE_KEY_CONFLICT: { permanent: true, means: 'A key is a folder of other keys, or lies below a file.' },
  STORAGE_NOT_FOUND: { permanent: true, means: 'There is no file of this key.' },
  STORAGE_UNAVAILABLE: { permanent: false, means: 'The disk or the S3 service refused or failed.' },
} as const satisfies Record<string, { permanent: boolean; means: string }>;

export type StorageErrorCode = keyof typeof storageErrorCodes;

/** An error of the storage. Branch on `code` or `permanent`; `message` says what was seen, `mend` the next step. */
export class StorageError extends Error {
  /** True when the same call will fail again, so that a job should be given up instead of retried. */
  readonly permanent: boolean;
  readonly mend: string;

  constructor(
    readonly code: StorageErrorCode,
    message: string,
    { mend, cause }: { mend: string; cause?: unknown },
  ) {
    super(`${message} ${mend}`, cause === undefined ? undefined : { cause });
    this.name = 'StorageError';
    this.permanent = storageErrorCodes[code].permanent;
    this.mend = mend;
  }
}

export function notFound(key: string, cause?: unknown): StorageError {
  return new StorageError('STORAGE_NOT_FOUND', `There is no file of key "${key}".`, {
    mend: 'Store it before the job that reads it is enqueued, and check that both use the same storage URL.',
    cause,
  });
}
