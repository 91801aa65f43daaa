import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import { MeteredSource } from './metered-source.js';
import { notFound, StorageError } from './storage-error.js';
import { checkKey } from './storage-key.js';
import { Storage, type LocalFile, type PutOptions, type StoredFile } from './storage.js';

export interface S3Location {
  bucket: string;
  /** Put before every key; empty or ending in `/`. Default empty. */
  prefix?: string;
  /** Default: the AWS environment (`AWS_REGION`); with an `endpoint`, `us-east-1`. */
  region?: string;
  /** URL of a service that speaks S3. Default: AWS. */
  endpoint?: string;
  /** Bucket in the path instead of the host name; most services other than AWS need it. Default false. */
  forcePathStyle?: boolean;
}

/** A part of a multipart upload. S3 takes 10,000 parts, so the largest file is 80 GB. */
const partBytes = 8 * 1024 * 1024;

/** Parts in flight of one upload: it holds at most this times `partBytes` in memory. */
const partsAtOnce = 3;

/**
 * A storage in an S3 bucket. The SDK, by far the heaviest dependency, is loaded at the first call. Large files go up
 * in parts and appear in one step; a failed upload is aborted, parts and all. (Parts of a process that was killed
 * stay invisible and billed until a life-cycle rule of the bucket, `AbortIncompleteMultipartUpload`, removes them.)
 */
export class S3Storage extends Storage {
  readonly #location: S3Location;
  #connected: Promise<S3Client> | undefined;

  constructor(location: S3Location) {
    super();
    this.#location = location;
  }

  async put(key: string, content: Readable | Buffer | string, options: PutOptions = {}): Promise<StoredFile> {
    const source = new MeteredSource(content);
    const body = Readable.from(source.chunks(), { objectMode: false });
    try {
      const params = { ...this.#object(key), Body: body, ContentType: options.contentType };
      const { Upload } = await import('@aws-sdk/lib-storage');
      const client = await this.#client();
      await new Upload({ client, params, partSize: partBytes, queueSize: partsAtOnce }).done();
      return { key, bytes: source.bytes };
    } catch (error) {
      source.destroy();
      throw source.errorFor(() => this.#asStorageError(error, 'write', key));
    }
  }

  async get(key: string): Promise<Readable> {
    const object = this.#object(key);
    try {
      const { GetObjectCommand } = await import('@aws-sdk/client-s3');
      const { Body } = await (await this.#client()).send(new GetObjectCommand(object));
      if (Body instanceof Readable) return Body;
    } catch (error) {
      throw this.#asStorageError(error, 'read', key);
    }
    throw this.#asStorageError(new Error('the answer has no body'), 'read', key);
  }

  async toFile(key: string): Promise<LocalFile> {
    const content = await this.get(key);
    const folder = await mkdtemp(join(tmpdir(), 'jobrail-storage-'));
    const dispose = () => rm(folder, { recursive: true, force: true });
    try {
      const path = join(folder, basename(key));
      const file = await open(path, 'wx');
      await pipeline(content, file.createWriteStream());
      return { path, dispose };
    } catch (error) {
      content.destroy();
      await dispose();
      throw this.#asStorageError(error, 'read', key);
    }
  }

  async exists(key: string): Promise<boolean> {
    try {
      await this.size(key);
      return true;
    } catch (error) {
      if (error instanceof StorageError && error.code === 'STORAGE_NOT_FOUND') return false;
      throw error;
    }
  }

  async size(key: string): Promise<number> {
    const object = this.#object(key);
    try {
      const { HeadObjectCommand } = await import('@aws-sdk/client-s3');
      const { ContentLength } = await (await this.#client()).send(new HeadObjectCommand(object));
      return ContentLength ?? 0;
    } catch (error) {
      throw this.#asStorageError(error, 'read', key);
    }
  }

  async delete(key: string): Promise<void> {
    const object = this.#object(key);
    try {
      const { DeleteObjectCommand } = await import('@aws-sdk/client-s3');
      await (await this.#client()).send(new DeleteObjectCommand(object));
    } catch (error) {
      const known = this.#asStorageError(error, 'delete', key);
      if (known.code !== 'STORAGE_NOT_FOUND') throw known;
    }
  }

  #object(key: string): { Bucket: string; Key: string } {
    const { bucket, prefix = '' } = this.#location;
    return { Bucket: bucket, Key: prefix + checkKey(key) };
  }

  #client(): Promise<S3Client> {
    this.#connected ??= this.#connect();
    return this.#connected;
  }

  async #connect(): Promise<S3Client> {
    const { S3Client } = await import('@aws-sdk/client-s3');
    const { endpoint, region, forcePathStyle } = this.#location;
    if (endpoint === undefined) return new S3Client({ region, forcePathStyle });
    return new S3Client({
      endpoint,
      region: region ?? 'us-east-1',
      forcePathStyle,
      // The SDK's default since 2025 sends CRC trailers, which many services other than AWS refuse.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
  }

  #asStorageError(error: unknown, action: 'read' | 'write' | 'delete', key: string): StorageError {
    if (error instanceof StorageError) return error;
    const { name, status, said } = answerOf(error);
    if (name === 'NoSuchKey' || name === 'NotFound' || (status === 404 && name !== 'NoSuchBucket')) {
      return notFound(key, error);
    }
    const { bucket } = this.#location;
    return new StorageError(
      'STORAGE_UNAVAILABLE',
      `S3 could not ${action} key "${key}" in bucket "${bucket}": ${said}.`,
      {
        mend: mendFor(name, bucket),
        cause: error,
      },
    );
  }
}

function answerOf(error: unknown): { name: string; status: number | undefined; said: string } {
  if (!(error instanceof Error)) return { name: '', status: undefined, said: String(error) };
  const metadata = '$metadata' in error ? (error.$metadata as { httpStatusCode?: number }) : undefined;
  const said = error.message === '' ? error.name : `${error.name}: ${error.message}`;
  return { name: error.name, status: metadata?.httpStatusCode, said };
}

function mendFor(name: string, bucket: string): string {
  if (name === 'NoSuchBucket') return `Create bucket "${bucket}", or correct the storage URL.`;
  if (['AccessDenied', 'Forbidden', '403', 'InvalidAccessKeyId', 'SignatureDoesNotMatch'].includes(name)) {
    return `Allow GetObject, PutObject, DeleteObject, AbortMultipartUpload and ListBucket on bucket "${bucket}".`;
  }
  if (name === 'CredentialsProviderError')
    return 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role.';
  return 'Check region, endpoint and network; the call can be tried again.';
}
