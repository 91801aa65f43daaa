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
  while (rest !== '') {
    if (done.length === lines - 1 && measure(rest) > width) {
      const room = width - measure(ellipsis);
      return [...done, rest.slice(0, fitting(rest, room, measure)).trimEnd() + ellipsis];
    }
    const end = lineEnd(rest, width, measure);
    done.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  return done;
}

/** Where the first line ends: behind the last word that fits, or inside of a word that is wider than a line. */
function lineEnd(text: string, width: number, measure: WrapOptions['measure']): number {
  const end = fitting(text, width, measure);
  if (end >= text.length || text[end] === ' ') return end;
  const lastSpace = text.lastIndexOf(' ', end);
  return lastSpace > 0 ? lastSpace : end;
}

/** How much of a text fits; at least one character. */
function fitting(text: string, width: number, measure: WrapOptions['measure']): number {
  let end = 0;
  let used = 0;
  for (const character of text) {
    used += measure(character);
    if (used > width && end > 0) break;
    end += character.length;
  }
  return end;
}
