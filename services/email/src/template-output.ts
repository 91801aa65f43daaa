import { filters as liquidFilters } from 'liquidjs';

/** A value that a template cannot show. The message completes "cannot be shown: it …". */
export class UnshowableValue extends Error {}

type Escape = (this: unknown, value: unknown) => string;
const escapeHtml = liquidFilters.escape as Escape;

/** What every `{{ … }}` of an HTML template goes through. */
export function escapedForHtml(this: unknown, value: unknown): string {
  return escapeHtml.call(this, textOf(value));
}

/**
 * What every `{{ … }}` of a text template and of a subject goes through: one line, so that a value can neither start a
 * header of its own nor pass for another paragraph of the mail. Characters that reverse the direction of text go too.
 */
export function onOneLine(value: unknown): string {
  return textOf(value)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '')
    .trim();
}

/** The filters that the templates may use besides those of Liquid. */
export const templateFilters = { web_url: webUrl, grouped };

/** An address fit for a link. Anything but http and https (`javascript:`, `data:`) is refused. */
function webUrl(value: unknown): string {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') {
    throw new UnshowableValue('is no absolute http or https URL');
  }
  return url.href;
}

/** 1000000 as "1,000,000". */
function grouped(value: unknown): string {
  if (typeof value !== 'number') throw new UnshowableValue(`is of type ${typeof value}, not a number`);
  return new Intl.NumberFormat('en').format(value);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new UnshowableValue(
    `is ${Array.isArray(value) ? 'a list' : `of type ${typeof value}`}, not text or a number`,
  );
}
