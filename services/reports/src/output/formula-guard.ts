/** What a spreadsheet takes as the beginning of a formula, the full-width forms included, and what it skips before one. */
const opensFormula = /^[=+\-@＝＋－＠\t\r\n]/;
const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?%?$/;

/**
 * Whether a spreadsheet that opens this text as a cell might run it: `=HYPERLINK(…)`, `+cmd|…`, `@SUM(…)`. Numbers such
 * as -5 are harmless. Source: OWASP, CSV Injection.
 */
export function looksLikeFormula(text: string): boolean {
  return opensFormula.test(text) && !number.test(text);
}
