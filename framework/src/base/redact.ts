import { ContractError } from './errors.js';

/*
 * What whoever reads logs, traces and dead letters may see of an error. Called for failures only.
 */

/** A longer text is cut: an error that quotes a megabyte is no better for it. */
const mostCharacters = 16_384;

/**
 * The user information of a URL: `//user:password@`, up to the last `@` in case the password holds one, or `//token@`.
 * `//host:5672/` is none. Bounded, so that no text makes it slow.
 */
const userInformation =
  /\/\/(?:[^\s:/?#@"<>]{0,256}:(?!\d{1,5}(?:[/?#"\s)]|$))[^\s"<>]{0,1024}|[^\s:/?#@"<>]{1,1024})@/g;

/** A text without the credentials of the URLs in it, at most 16,384 characters. */
export function redact(text: string): string {
  const short = text.length > mostCharacters ? text.slice(0, mostCharacters) : text;
  return short.includes('//') ? short.replace(userInformation, '//***@') : short;
}

/**
 * An error as it may stand in logs and spans: name, message, stack and code, and the same of its causes. Other fields
 * are left out, because clients of databases and APIs keep requests, URLs and rows there. Credentials in URLs are gone,
 * and so is what a schema said of a payload, since some schema libraries quote the value; where it is wrong still stands.
 */
export function redactError(error: Error): Error {
  return redactedCopy(error, schemaWords(error));
}

const deepestCause = 4;
const mostErrors = 5;

function redactedCopy(error: Error, words: readonly string[], depth = 0): Error {
  const { name, message, stack } = error;
  const { code } = error as { code?: unknown };
  const shown = (text: unknown) =>
    typeof text === 'string' ? redact(words.reduce((rest, word) => rest.replaceAll(word, '…'), text)) : '';
  const [[cause], errors] = errorsInside(error, depth);
  const inner = (each: Error) => redactedCopy(each, words, depth + 1);
  const fields = {
    name,
    message: shown(message),
    stack: shown(stack),
    ...(cause && { cause: inner(cause) }),
    ...(errors.length > 0 && { errors: errors.map(inner) }),
  };
  const copy = Object.create(Object.getPrototypeOf(error) as object) as Error;
  for (const [field, value] of Object.entries(fields)) {
    Object.defineProperty(copy, field, { value, writable: true, configurable: true });
  }
  if (typeof code === 'string' || typeof code === 'number') Object.assign(copy, { code });
  return copy;
}

/** What schemas said, anywhere in an error; those around it may repeat it in their own messages. */
function schemaWords(error: Error, depth = 0): string[] {
  const own =
    error instanceof ContractError ? error.issues.map(({ message }) => message).filter(Boolean) : [];
  return [
    ...own,
    ...errorsInside(error, depth)
      .flat()
      .flatMap((inner) => schemaWords(inner, depth + 1)),
  ];
}

/** Its cause, and the errors of an AggregateError; nothing beyond a depth, for causes can go in circles. */
function errorsInside(error: Error, depth: number): [cause: Error[], errors: Error[]] {
  if (depth >= deepestCause) return [[], []];
  const { cause, errors } = error as { cause?: unknown; errors?: unknown };
  const isError = (value: unknown): value is Error => value instanceof Error;
  return [
    [cause].filter(isError),
    (Array.isArray(errors) ? errors.slice(0, mostErrors) : []).filter(isError),
  ];
}
