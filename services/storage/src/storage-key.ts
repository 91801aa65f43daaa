import { StorageError } from './storage-error.js';

/** In bytes of UTF-8. S3 allows 1,024 with the prefix of the storage. */
export const longestKey = 512;

/** In bytes of UTF-8: what file systems allow for one name. */
const longestSegment = 255;

/**
 * Holds a key against the rules that make it mean the same file on every storage and keep it inside: one or more
 * segments joined by `/`, such as `users/42/avatar.jpg`, at most 512 bytes. A segment is not empty, has at most 255
 * bytes and does not start with a dot, which rules out `.`, `..`, hidden files and the storage's own `.incoming`.
 * Backslashes, control characters and broken Unicode (it would turn into another key on disk) are refused anywhere.
 * Percent signs have no meaning: `%2e%2e` is a name of six characters.
 * @returns the key, unchanged.
 * @throws StorageError (`STORAGE_KEY_INVALID`, permanent) saying which rule is broken.
 */
export function checkKey(key: string): string {
  const fault = faultOf(key);
  if (fault === undefined) return key;
  throw new StorageError('STORAGE_KEY_INVALID', `${shown(key)} is no storage key: ${fault}.`, {
    mend: 'Use segments joined by "/", such as "users/42/avatar.jpg".',
  });
}

function faultOf(key: unknown): string | undefined {
  if (typeof key !== 'string') return `it is of type ${key === null ? 'null' : typeof key}, not string`;
  if (key === '') return 'it is empty';
  if (Buffer.byteLength(key) > longestKey)
    return `it has ${Buffer.byteLength(key)} bytes, more than ${longestKey}`;
  if (key.startsWith('/')) return 'it starts with "/"';
  if (key.includes('\\')) return 'it has a backslash';
  if (/\p{Cc}/u.test(key)) return 'it has a control character';
  if (/\p{Cs}/u.test(key)) return 'it has half of a surrogate pair';
  for (const segment of key.split('/')) {
    if (segment === '') return 'it has an empty segment';
    if (segment.startsWith('.')) return `its segment ${shown(segment)} starts with a dot`;
    if (Buffer.byteLength(segment) > longestSegment)
      return `it has a segment of more than ${longestSegment} bytes`;
  }
  return undefined;
}

/** A hostile value fit for a log: escaped and short. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
