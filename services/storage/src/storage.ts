import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';

/** What was stored, and how large it is. */
export interface StoredFile {
  key: string;
  bytes: number;
}

/** A stored file as a path that programs such as ffmpeg can open. */
export interface LocalFile {
  /** Read it, never write to it: on local disk it is the stored file itself. It ends like the key (`.mp4`). */
  path: string;
  /** Removes what was made for this path (nothing, on local disk). Call it when done; calling it twice is fine. */
  dispose(): Promise<void>;
}

export interface PutOptions {
  /** MIME type, kept by S3 and served with the object. Local disk has nowhere to keep it and ignores it. */
  contentType?: string;
}

/**
 * Where files live that jobs work on: a payload carries the key, the bytes stay here. An abstract class rather than
 * an interface, so that it is its own injection token: `@inject(Storage)`.
 *
 * What every adapter promises:
 * - A key is checked by `checkKey` before anything is touched, so that no key reaches outside the storage.
 * - `put` is all or nothing: a reader sees the old file or the new one, never a part, and a source that fails leaves
 *   the storage as it was. It resolves once the file is durable.
 * - Errors are `StorageError`; its `permanent` says whether another try can help. Only an error of the source stream
 *   that the caller handed in is passed on as it is.
 */
export abstract class Storage {
  /**
   * Stores a file, replacing what was there.
   * @param source the content: a stream (read to its end or destroyed), bytes, or text written as UTF-8. Not a path;
   * for that see `fromFile`.
   */
  abstract put(key: string, source: Readable | Buffer | string, options?: PutOptions): Promise<StoredFile>;

  /**
   * Opens a file for reading. Read the stream to its end or destroy it: it holds a file descriptor or a connection.
   * @throws StorageError (`STORAGE_NOT_FOUND`) before there is a stream.
   */
  abstract get(key: string): Promise<Readable>;

  /**
   * Gives a stored file a path on this machine.
   * @throws StorageError (`STORAGE_NOT_FOUND`).
   */
  abstract toFile(key: string): Promise<LocalFile>;

  /** Whether there is a file of this key. */
  abstract exists(key: string): Promise<boolean>;

  /**
   * The size of a file, in bytes.
   * @throws StorageError (`STORAGE_NOT_FOUND`).
   */
  abstract size(key: string): Promise<number>;

  /** Removes a file; does nothing when there is none. */
  abstract delete(key: string): Promise<void>;

  /** Stores a file of this machine; the file itself stays. */
  fromFile(key: string, path: string, options?: PutOptions): Promise<StoredFile> {
    return this.put(key, createReadStream(path), options);
  }
}
