import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DiskStorage } from './disk-storage.js';
import { S3Storage } from './s3-storage.js';
import { checkKey } from './storage-key.js';
import { StorageError } from './storage-error.js';
import type { Storage } from './storage.js';

/**
 * Opens the storage that a URL names. Nothing is touched or connected until the first call.
 *
 * - `file:///var/lib/jobrail/files`: a folder of local disk, made when missing.
 * - `file:data/files`: the same, relative to the working directory. Services that share files must run in the same
 *   one, or be given an absolute path.
 * - `s3://bucket/prefix?region=eu-central-1`: S3, or a service that speaks it: `endpoint=https://…` and
 *   `forcePathStyle=true` for most of them. Credentials come from the standard AWS environment, never from the URL.
 * @throws StorageError (`STORAGE_URL_INVALID`) saying what is wrong with the URL.
 */
export function openStorage(url: string): Storage {
  if (url.startsWith('file:')) return new DiskStorage(diskRoot(url));
  if (url.startsWith('s3:')) return openS3(url);
  throw invalid(url, 'it has another scheme than file: and s3:');
}

function diskRoot(url: string): string {
  if (/[?#]/.test(url)) throw invalid(url, 'a file: URL takes no "?" or "#" (write them as %3F and %23)');
  try {
    if (url.startsWith('file:/')) return fileURLToPath(url);
    const relative = decodeURIComponent(url.slice('file:'.length));
    if (relative !== '' && !relative.includes('\0')) return resolve(relative);
  } catch (cause) {
    throw invalid(url, 'it names no path of this machine', cause);
  }
  throw invalid(url, 'it names no path of this machine');
}

const s3Options = ['region', 'endpoint', 'forcePathStyle'];

function openS3(url: string): S3Storage {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || parsed.hostname === '') throw invalid(url, 'it names no bucket');
  if (parsed.username || parsed.password) throw invalid('s3://…', 'credentials do not belong into the URL');
  if (parsed.port || parsed.hash) throw invalid(url, 'a port or "#" has no meaning here');
  for (const name of parsed.searchParams.keys()) {
    if (!s3Options.includes(name))
      throw invalid(url, `"${name}" is none of its options (${s3Options.join(', ')})`);
  }
  const query = parsed.searchParams;
  const pathStyle = query.get('forcePathStyle') ?? 'false';
  if (pathStyle !== 'true' && pathStyle !== 'false')
    throw invalid(url, 'forcePathStyle is neither true nor false');
  const endpoint = query.get('endpoint') ?? undefined;
  if (endpoint !== undefined && !/^https?:\/\/./.test(endpoint))
    throw invalid(url, 'its endpoint is no http(s) URL');
  return new S3Storage({
    bucket: parsed.hostname,
    prefix: prefixOf(url, parsed.pathname),
    region: query.get('region') ?? undefined,
    endpoint,
    forcePathStyle: pathStyle === 'true',
  });
}

function prefixOf(url: string, pathname: string): string {
  const prefix = pathname.replace(/^\//, '').replace(/\/$/, '');
  if (prefix === '') return '';
  try {
    return `${checkKey(decodeURIComponent(prefix))}/`;
  } catch (cause) {
    throw invalid(url, 'its prefix would be no storage key', cause);
  }
}

function invalid(url: string, fault: string, cause?: unknown): StorageError {
  return new StorageError('STORAGE_URL_INVALID', `"${url}" is no storage URL: ${fault}.`, {
    mend:
      'Use "file:///absolute/folder", "file:relative/folder" or ' +
      '"s3://bucket/prefix?region=…&endpoint=https://…&forcePathStyle=true".',
    cause,
  });
}
