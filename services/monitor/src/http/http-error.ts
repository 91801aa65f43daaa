/** An error as the caller gets to see it. */
export class HttpError extends Error {
  constructor(
    readonly status: number,
    /** For programs; stays the same when the message is reworded. */
    readonly code: string,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = 'HttpError';
  }

  /** The body of the answer. */
  toJSON() {
    return { error: { code: this.code, message: this.message } };
  }
}
