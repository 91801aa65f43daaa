import { StorageError } from '@jobrail/storage';
import { BrokerError, ContractError, MonitorError, PublishError } from 'jobrail';
import { MulterError } from 'multer';
import { HttpError, invalidFields } from './http-error.js';

/** Seconds after which a caller should try again: a broker that restarts is back by then. */
const retryAfter = { 'retry-after': '5' };

/**
 * What the caller is told of an error, whatever it was. The text of errors from inside (which names hosts, keys and
 * files) never goes out; it is for the log.
 */
export function asHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof ContractError) return ofContract(error);
  if (error instanceof PublishError || error instanceof BrokerError) return ofBroker(error);
  if (error instanceof MonitorError) {
    return new HttpError(503, 'STATUS_UNAVAILABLE', 'The status of jobs cannot be told at the moment.', {
      headers: retryAfter,
      cause: error,
    });
  }
  if (error instanceof StorageError && !error.permanent) {
    return new HttpError(
      503,
      'STORAGE_UNAVAILABLE',
      'Files cannot be stored at the moment. Try again later.',
      {
        headers: retryAfter,
        cause: error,
      },
    );
  }
  if (error instanceof MulterError) return ofMulter(error);
  return (
    ofExpress(error) ?? new HttpError(500, 'INTERNAL', 'The request could not be handled.', { cause: error })
  );
}

function ofContract(error: ContractError): HttpError {
  if (error.code === 'JR_PAYLOAD_INVALID') return invalidFields(error.issues, error);
  if (error.code === 'JR_PAYLOAD_TOO_LARGE') {
    return new HttpError(413, 'BODY_TOO_LARGE', 'The request is too large for a job.', { cause: error });
  }
  return new HttpError(500, 'INTERNAL', 'The request could not be handled.', { cause: error });
}

function ofBroker(error: PublishError | BrokerError): HttpError {
  const doubtful = error instanceof PublishError && error.maybeAccepted;
  return new HttpError(
    503,
    doubtful ? 'JOB_UNCONFIRMED' : 'QUEUE_UNAVAILABLE',
    doubtful
      ? 'The job was sent but not confirmed in time. Trying again may run it twice.'
      : 'Jobs cannot be accepted at the moment. Try again later.',
    { headers: retryAfter, cause: error },
  );
}

function ofMulter(error: MulterError): HttpError {
  if (error.code === 'LIMIT_FILE_SIZE') return uploadTooLarge(error);
  return invalidFields([{ path: error.field ?? '', message: error.message }], error);
}

export function uploadTooLarge(cause?: unknown): HttpError {
  return new HttpError(413, 'UPLOAD_TOO_LARGE', 'The uploaded file is larger than the limit.', { cause });
}

const expressCodes: Record<number, [code: string, message: string]> = {
  400: ['REQUEST_MALFORMED', 'The request cannot be read.'],
  413: ['BODY_TOO_LARGE', 'The body of the request is larger than the limit.'],
  415: ['MEDIA_TYPE_UNSUPPORTED', 'The encoding or charset of the body is not supported.'],
};

/** Express and its body parser throw errors with a `status`; those of 4xx are the caller's. */
function ofExpress(error: unknown): HttpError | undefined {
  if (!(error instanceof Error && 'status' in error && typeof error.status === 'number')) return undefined;
  if ('type' in error && error.type === 'entity.parse.failed') {
    return new HttpError(400, 'BODY_NOT_JSON', 'The body of the request is no JSON object.', {
      cause: error,
    });
  }
  const known = expressCodes[error.status];
  return known && new HttpError(error.status, ...known, { cause: error });
}
