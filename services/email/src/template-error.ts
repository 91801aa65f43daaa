/** Every code of a TemplateError, with what it means. */
export const templateErrorCodes = {
  TEMPLATE_UNUSABLE: 'A template file is missing or is not valid Liquid; found at start.',
  TEMPLATE_VALUE_MISSING: 'The data of a mail lacks a value that its template shows.',
  TEMPLATE_VALUE_REFUSED: 'The data of a mail has a value that its template cannot show.',
} as const;

export type TemplateErrorCode = keyof typeof templateErrorCodes;

/** A mail that cannot be written. Trying again gives the same, so a job that meets it is given up. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  readonly permanent = true;

  constructor(
    readonly code: TemplateErrorCode,
    message: string,
    readonly mend: string,
    cause?: unknown,
  ) {
    super(`${message} ${mend}`, cause === undefined ? undefined : { cause });
  }
}
