import type { PayloadIssue } from 'jobrail';

export interface HttpErrorDetails {
  /** One entry for each field that is wrong. */
  fields?: readonly PayloadIssue[];
  headers?: Readonly<Record<string, string>>;
  cause?: unknown;
}

/** An error as the caller gets to see it: everything in it is fit for strangers, except the cause. */
export class HttpError extends Error {
  readonly fields: readonly PayloadIssue[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly status: number,
    /** For programs; stays the same when the message is reworded. */
    readonly code: string,
    message: string,
    { fields, headers = {}, cause }: HttpErrorDetails = {},
  ) {
    super(message, { cause });
    this.name = 'HttpError';
    this.fields = fields;
    this.headers = headers;
  }

  /** The body of the answer. */
  toJSON() {
    const { code, message, fields } = this;
    return { error: { code, message }, ...(fields && { fields }) };
  }
}

/** 400 with what is wrong, field by field. */
export function invalidFields(fields: readonly PayloadIssue[], cause?: unknown): HttpError {
  return new HttpError(400, 'FIELDS_INVALID', 'The request has fields that cannot be accepted.', {
    fields,
    cause,
  });
}
