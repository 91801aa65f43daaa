import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { lstat, mkdir, open, readdir, realpath, rename, rm, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MeteredSource } from './metered-source.js';
import { notFound, StorageError } from './storage-error.js';
import { checkKey } from './storage-key.js';
import { Storage, type LocalFile, type StoredFile } from './storage.js';

/** Where unfinished files lie. No key can name it: segments don't start with a dot. */
const incomingFolder = '.incoming';

/** Unfinished files older than this were left by a process that died. */
const abandonedAfterMs = 24 * 3_600_000;

/**
 * A storage in a folder of local disk; the key is the path below it. A file is written under `.incoming`, flushed to
 * the disk and then renamed into place. Folders and files may be symlinks as long as they end inside the root.
 *
 * Unlike on S3, `a` and `a/b` cannot both be files (`STORAGE_KEY_CONFLICT`), and on a file system that ignores case
 * `A` and `a` are one file.
 */
export class DiskStorage extends Storage {
  readonly #root: string;
  #swept = false;

  /** @param root the folder, made at the first `put` when missing; relative to the working directory. */
  constructor(root: string) {
    super();
    this.#root = resolve(root);
  }

  async put(key: string, content: Readable | Buffer | string): Promise<StoredFile> {
    const source = new MeteredSource(content);
    let incoming: string | undefined;
    try {
      checkKey(key);
      await mkdir(this.#root, { recursive: true });
      const root = await realpath(this.#root);
      const incomingPath = await makeFolder(root, [incomingFolder], key);
      await this.#sweep(incomingPath);
      incoming = join(incomingPath, randomUUID());
      // Opened before anything is read: a stream that opens by itself may do so after the removal below.
      const file = await open(incoming, 'wx');
      await pipeline(source.chunks(), file.createWriteStream({ flush: true }));
      // Folders are made only now, so that a source that fails leaves not even those.
      await place(incoming, root, key);
      return { key, bytes: source.bytes };
    } catch (error) {
      source.destroy();
      if (incoming !== undefined) await rm(incoming, { force: true });
      throw source.errorFor(() => asStorageError(error, 'write', key));
    }
  }

  async get(key: string): Promise<Readable> {
    const { path } = await this.#locate(key);
    try {
      const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
      return handle.createReadStream();
    } catch (error) {
      throw asStorageError(error, 'read', key);
    }
  }

  async toFile(key: string): Promise<LocalFile> {
    const { path } = await this.#locate(key);
    return { path, dispose: () => Promise.resolve() };
  }

  async exists(key: string): Promise<boolean> {
    try {
      await this.#locate(key);
      return true;
    } catch (error) {
      if (error instanceof StorageError && error.code === 'STORAGE_NOT_FOUND') return false;
      throw error;
    }
  }

  async size(key: string): Promise<number> {
    return (await this.#locate(key)).stats.size;
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    try {
      const root = await realpath(this.#root);
      const path = join(root, key);
      // The folder is resolved and the last name is not: a symlink is removed, never what it points to.
      const folder = await realpath(dirname(path));
      refuseOutside(root, folder, key);
      const entry = join(folder, basename(path));
      if ((await lstat(entry)).isDirectory()) return;
      await unlink(entry);
    } catch (error) {
      if (!isAbsence(error)) throw asStorageError(error, 'delete', key);
    }
  }

  /** The real path of a stored file, every symlink followed and found to end inside the root. */
  async #locate(key: string): Promise<{ path: string; stats: Stats }> {
    checkKey(key);
    try {
      const root = await realpath(this.#root);
      const path = await realpath(join(root, key));
      refuseOutside(root, path, key);
      const stats = await stat(path);
      if (stats.isFile()) return { path, stats };
    } catch (error) {
      throw isAbsence(error) ? notFound(key, error) : asStorageError(error, 'read', key);
    }
    throw notFound(key);
  }

  /** Once a process: clears what processes that died in a `put` have left. */
  async #sweep(incomingPath: string): Promise<void> {
    if (this.#swept) return;
    this.#swept = true;
    for (const name of await readdir(incomingPath)) {
      const path = join(incomingPath, name);
      const stats = await stat(path).catch(() => undefined);
      if (stats && Date.now() - stats.mtimeMs > abandonedAfterMs)
        await rm(path, { force: true, recursive: true });
    }
  }
}

/**
 * Makes a folder below the root, segment by segment: `mkdir -p` in one call would follow a symlink out of the root
 * and make folders there before anyone looks.
 * @returns its real path.
 */
async function makeFolder(root: string, segments: string[], key: string): Promise<string> {
  let folder = root;
  for (const segment of segments) {
    const next = join(folder, segment);
    await mkdir(next).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
    folder = await realpath(next);
    refuseOutside(root, folder, key);
  }
  return folder;
}

/** Moves a finished file to its key, in one step that replaces what was there. */
async function place(incoming: string, root: string, key: string): Promise<void> {
  const segments = key.split('/');
  const name = segments.pop()!;
  try {
    const folder = await makeFolder(root, segments, key);
    await rename(incoming, join(folder, name));
    await flushFolder(folder);
  } catch (error) {
    if (!['EISDIR', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw error;
    throw new StorageError(
      'STORAGE_KEY_CONFLICT',
      `Key "${key}" is a folder of other keys, or lies below a file.`,
      {
        mend: 'Use a key of which no other key is the beginning.',
        cause: error,
      },
    );
  }
}

function refuseOutside(root: string, path: string, key: string): void {
  const inside = root.endsWith(sep) ? root : root + sep;
  if (path === root || path.startsWith(inside)) return;
  throw new StorageError('STORAGE_KEY_INVALID', `Key "${key}" leads out of the storage through a symlink.`, {
    mend: `Remove the symlink from the storage folder ${root}.`,
  });
}

/** Makes the rename itself durable. Windows cannot open folders and needs no such flush. */
async function flushFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, constants.O_RDONLY);
  await handle.sync().finally(() => handle.close());
}

function asStorageError(error: unknown, action: 'read' | 'write' | 'delete', key: string): StorageError {
  if (error instanceof StorageError) return error;
  const said = error instanceof Error ? error.message : String(error);
  return new StorageError(
    'STORAGE_UNAVAILABLE',
    `The storage disk could not ${action} key "${key}": ${said}.`,
    {
      mend: 'Check free space and the permissions of the storage folder.',
      cause: error,
    },
  );
}

/** Nothing there: no such name, or a "folder" on the way that is a file. */
function isAbsence(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
