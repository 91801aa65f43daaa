import { type Storage, StorageError } from '@jobrail/storage';
import type { Request, Response } from 'express';
import multer, { MulterError, type StorageEngine } from 'multer';
import { uploadTooLarge } from './as-http-error.js';
import { HttpError } from './http-error.js';

export interface UploadOptions {
  storage: Storage;
  /** Name of the form field that carries the file; a file in any other field is refused. */
  field: string;
  /** Of the file. */
  limitBytes: number;
  /** The key to store a file of this media type at; undefined refuses the type. */
  keyFor: (mediaType: string) => string | undefined;
}

export interface Upload {
  /** The text fields of the form, unchecked. */
  fields: Record<string, unknown>;
  /** Absent when the form has no such file. */
  file: { key: string; bytes: number } | undefined;
}

/** What text fields and part headers may add to a request, beside the file. */
const formOverheadBytes = 256 * 1024;

/**
 * Reads a multipart form, streaming its file into the storage: the size of a file does not show in memory. When it
 * rejects, nothing of the file is left in the storage.
 * @throws HttpError 413 beyond the limit (without reading the body when its length is announced), 415 for a media
 * type that is refused, 400 for a form that cannot be read. MulterError, StorageError.
 */
export async function receiveUpload(
  request: Request,
  response: Response,
  options: UploadOptions,
): Promise<Upload> {
  const { field, limitBytes, keyFor } = options;
  if (Number(request.get('content-length') ?? 0) > limitBytes + formOverheadBytes) throw uploadTooLarge();
  const form = multer({
    storage: new UploadEngine(options),
    limits: { fileSize: limitBytes, files: 1, fields: 20, fieldSize: 10_000, fieldNestingDepth: 0 },
    fileFilter: (_request, { fieldname, mimetype }, accept) => {
      if (keyFor(mimetype) !== undefined) accept(null, true);
      else
        accept(
          new HttpError(
            415,
            'MEDIA_TYPE_UNSUPPORTED',
            `Files of type ${mimetype} are not taken in "${fieldname}".`,
          ),
        );
    },
  });
  await new Promise<void>((resolve, reject) => {
    form.single(field)(request, response, (error: unknown) => {
      if (error) reject(asKnown(error));
      else resolve();
    });
  });
  const { file } = request;
  return {
    fields: { ...(request.body as Record<string, unknown>) },
    file: file && { key: file.filename, bytes: file.size },
  };
}

/** multer's way to a `Storage`. It removes a file that turns out too large or whose form breaks off. */
class UploadEngine implements StorageEngine {
  constructor(private readonly options: UploadOptions) {}

  _handleFile: StorageEngine['_handleFile'] = (_request, file, done) => {
    const key = this.options.keyFor(file.mimetype)!;
    this.options.storage
      .put(key, file.stream, { contentType: file.mimetype })
      .then(({ bytes }) => done(null, { filename: key, size: bytes }), done);
  };

  _removeFile: StorageEngine['_removeFile'] = (_request, file, done) => {
    this.options.storage.delete(file.filename).then(() => done(null), done);
  };
}

/** The form parser throws plain errors, all of them about what the caller sent. */
function asKnown(error: unknown): Error {
  if (error instanceof HttpError || error instanceof StorageError || error instanceof MulterError)
    return error;
  return new HttpError(400, 'FORM_MALFORMED', 'The multipart form cannot be read.', { cause: error });
}
