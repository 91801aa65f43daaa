/** Nothing in it that needs a change: no markup, control character or surrogate. Almost every cell is. */
const plain = /^[\t\n !#-%'-;=?-\ud7ff\ue000-\ufffd]*$/;
/** What XML 1.0 cannot hold, and the carriage return that its parsers turn into a line feed. */
// eslint-disable-next-line no-control-regex
const unwritable = /[\u0000-\u0008\u000b-\u001f\ufffe\uffff]/g;
/** Text that Excel would take for one of the escapes below. */
const lookalike = /_(?=x[0-9A-Fa-f]{4}_)/g;
const markup = /[&<>"]/g;
/** Half a surrogate pair; a whole one counts as one character and is not matched. */
const halfPair = /\p{Cs}/gu;

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/**
 * A text as content or attribute of XML in a workbook. Characters that XML cannot hold are written the way Excel does,
 * `_x0007_`; half a surrogate pair becomes U+FFFD.
 */
export function xmlText(text: string): string {
  const escaped = text.includes('_x') ? text.replace(lookalike, '_x005F_') : text;
  if (plain.test(escaped)) return escaped;
  return escaped
    .replace(
      unwritable,
      (character) => `_x${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}_`,
    )
    .replace(halfPair, '\ufffd')
    .replace(markup, (character) => entities[character] as string);
}
