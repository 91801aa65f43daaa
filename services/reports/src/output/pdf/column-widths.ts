/**
 * Shares the width of a page among columns. Columns get what they want if all fit, and what is left over is spread in
 * proportion. Otherwise narrow columns keep what they want, and the wide ones share the rest equally.
 * @param wanted what each column needs for its widest cell, in points.
 */
export function shareWidths(wanted: readonly number[], available: number): number[] {
  const total = wanted.reduce((sum, width) => sum + width, 0);
  if (total <= available) return wanted.map((width) => width * (available / total));
  const widths = wanted.map(() => 0);
  let open = wanted.map((_, index) => index);
  let left = available;
  while (open.length > 0) {
    const share = left / open.length;
    const content = open.filter((index) => (wanted[index] as number) <= share);
    if (content.length === 0) {
      for (const index of open) widths[index] = share;
      break;
    }
    for (const index of content) {
      widths[index] = wanted[index] as number;
      left -= wanted[index] as number;
    }
    open = open.filter((index) => !content.includes(index));
  }
  return widths;
}
