export interface WrapOptions {
  /** Room for a line, in the unit of `measure`. */
  width: number;
  /** Most lines; what does not fit is told by an ellipsis. */
  lines: number;
  /** Width of a text. */
  measure: (text: string) => number;
}

const ellipsis = '…';

/**
 * Breaks a text into lines: between words, and inside of a word that is wider than a line. White space of any kind is
 * one space. At least one line, possibly empty.
 */
export function wrapText(text: string, { width, lines, measure }: WrapOptions): string[] {
  const flat = text.replace(/\s+/g, ' ').trim();
  if (measure(flat) <= width) return [flat];
  const done: string[] = [];
  let rest = flat;
  while (rest !== '' && done.length < lines) {
    const taken = takeLine(rest, width, measure);
    done.push(taken.trimEnd());
    rest = rest.slice(taken.length).trimStart();
  }
  if (rest !== '') done.push(shorten(`${done.pop() as string}${ellipsis}`, width, measure));
  return done;
}

/** Cuts a text that ends with an ellipsis until it fits; the ellipsis stays. */
function shorten(text: string, width: number, measure: WrapOptions['measure']): string {
  const characters = [...text.slice(0, -1)];
  while (characters.length > 0 && measure(characters.join('') + ellipsis) > width) characters.pop();
  return characters.join('').trimEnd() + ellipsis;
}

/** The beginning that fits: up to the last space if there is one, never less than a character. */
function takeLine(text: string, width: number, measure: WrapOptions['measure']): string {
  let end = 0;
  let used = 0;
  let lastSpace = 0;
  for (const character of text) {
    if (character === ' ') lastSpace = end;
    used += measure(character);
    if (used > width && end > 0) break;
    end += character.length;
  }
  if (end >= text.length || text[end] === ' ') return text.slice(0, end);
  return text.slice(0, lastSpace > 0 ? lastSpace : end);
}
