/** What a column holds. `moment` is a date with time. */
export type ColumnKind = 'text' | 'number' | 'boolean' | 'date' | 'moment';

/** Digits that a double, and so a spreadsheet, keeps of a whole number. */
const exactDigits = 15;

const plainNumber = /^-?(?:(?:0|[1-9]\d*)(?:\.\d+)?|\.\d+)$/;
/** With a point or a signed exponent, so that codes like "1E5" stay what they are. */
const scientific = /^-?(?:\d+\.\d+[eE][+-]?\d{1,3}|\d+[eE][+-]\d{1,3})$/;

/**
 * The number that a text certainly is: "12.50" is one; "007", "1E5" and whole numbers of more than 15 digits are codes,
 * which a spreadsheet would spoil, and so are not.
 */
export function readNumber(text: string): number | undefined {
  if (plainNumber.test(text)) {
    const point = text.indexOf('.');
    const whole = (point < 0 ? text.length : point) - (text.startsWith('-') ? 1 : 0);
    return whole <= exactDigits ? Number(text) : undefined;
  }
  if (!scientific.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** True or false in any case; undefined for all else, as for 0, 1, yes and no. */
export function readBoolean(text: string): boolean | undefined {
  const lower = text.length <= 5 ? text.toLowerCase() : '';
  return lower === 'true' ? true : lower === 'false' ? false : undefined;
}
