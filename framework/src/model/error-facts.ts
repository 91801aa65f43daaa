import { redact } from '../base/redact.js';
import { fingerprint } from './fingerprint.js';
import type { ErrorFacts } from './event.js';

/** What a dead letter or an event may tell of an error: credentials are gone, and long texts are cut. */
export function errorFacts(error: Error): ErrorFacts {
  return {
    name: cut(error.name, 200),
    message: cut(redact(error.message), 4_000),
    stack: cut(typeof error.stack === 'string' ? redact(error.stack) : '', 8_000),
    fingerprint: fingerprint(error),
  };
}

/** The beginning of a text in so many bytes of UTF-8: all headers of a message must fit into 64 KiB together. */
export function cut(text: string, mostBytes: number): string {
  const bytes = Buffer.from(text);
  return bytes
    .subarray(0, mostBytes)
    .toString()
    .replace(/\uFFFD$/, '');
}
