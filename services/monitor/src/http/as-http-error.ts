import { StoreError } from 'jobrail/store';
import { QueryError } from '../search/query-error.js';
import { HttpError } from './http-error.js';

/** What the caller is told of an error. The text of errors from inside, which names hosts and files, is for the log. */
export function asHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof QueryError) return new HttpError(400, 'QUERY_INVALID', error.message);
  if (error instanceof StoreError) {
    const message = 'The records cannot be read at the moment. Try again later.';
    return new HttpError(503, 'STORE_UNAVAILABLE', message, { 'retry-after': '5' });
  }
  const status: unknown = (error as { status?: unknown } | null)?.status;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new HttpError(status, 'REQUEST_MALFORMED', 'The request cannot be read.');
  }
  return new HttpError(500, 'INTERNAL', 'The request could not be handled.');
}
