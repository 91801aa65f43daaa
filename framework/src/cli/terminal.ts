/*
 * What reaches the screen. Names, errors and payloads come from anybody who can write to the broker: nothing in them may
 * move the cursor, colour, hide or reverse what is shown.
 */

/** Control characters (C0, DEL, C1), line and paragraph separators, invisible and direction-changing ones, lone surrogates. */
const unsafe =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Cs}/gu; // eslint-disable-line no-control-regex

/** A text on one line, as it can be shown: what a terminal would act upon stands there as `\x1b` or `\u202e`. */
export function printable(text: string): string {
  return text.replace(unsafe, (character) => {
    if (character === '\n') return '\\n';
    if (character === '\t') return '\\t';
    const code = character.codePointAt(0)!;
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** Lines of a text of several, each printable. */
export function printableLines(text: string): string[] {
  return text.split(/\r?\n/).map((line) => printable(line.replace(/\t/g, '  ')));
}

/** JSON in which nothing acts on a terminal; it means the same. */
export function printableJson(value: unknown): string {
  const json = JSON.stringify(value, null, 2) ?? 'null';
  return json.replace(unsafe, (character) => {
    if (character === '\n') return character;
    return [...Array(character.length).keys()]
      .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`)
      .join('');
  });
}

/** Takes two columns on a terminal. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text)
    columns += /\p{Mn}|\p{Me}/u.test(character) ? 0 : wide.test(character) ? 2 : 1;
  return columns;
}

/** A text cut to so many columns, with `…` where something is missing. */
export function cutTo(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let cut = '';
  let used = 0;
  for (const character of text) {
    const width = columnsOf(character);
    if (used + width > columns - 1) break;
    cut += character;
    used += width;
  }
  return `${cut}…`;
}

export interface Column {
  title: string;
  /** Numbers stand at the right. */
  right?: boolean;
  /** Gives way first where the line is too long. At most one. */
  gives?: boolean;
}

/** A table that is no wider than `width`; cells are made printable. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width = screenWidth(),
): string[] {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => row.map(printable))];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => columnsOf(row[i] ?? ''))));
  const gap = 2;
  const over = () => widths.reduce((sum, each) => sum + each, 0) + gap * (columns.length - 1) - width;
  const giving = columns.findIndex(({ gives }) => gives);
  if (giving >= 0 && over() > 0) widths[giving] = Math.max(8, widths[giving]! - over());
  while (over() > 0 && Math.max(...widths) > 4) widths[widths.indexOf(Math.max(...widths))]! -= 1;
  return cells.map((row) =>
    row
      .map((cell, i) => {
        const shown = cutTo(cell, widths[i]!);
        const space = ' '.repeat(widths[i]! - columnsOf(shown));
        return columns[i]!.right ? space + shown : shown + space;
      })
      .join(' '.repeat(gap))
      .trimEnd(),
  );
}

export function screenWidth(): number {
  const given = Number(process.env['COLUMNS']);
  return process.stdout.columns ?? (Number.isInteger(given) && given >= 40 ? given : 120);
}

export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

export function printAll(lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}

export function printJson(value: unknown): void {
  print(printableJson(value));
}

/** A moment for people, with how long ago or ahead it is. */
export function when(at: number | undefined, now = Date.now()): string {
  if (at === undefined || !Number.isFinite(at) || Math.abs(at) > 8.64e15) return 'unknown';
  const stamp = new Date(at).toISOString().replace('T', ' ').replace(/Z$/, '');
  return `${stamp} UTC (${ago(at, now)})`;
}

export function ago(at: number, now = Date.now()): string {
  const ms = Math.abs(now - at);
  if (ms < 1_000) return 'now';
  return now > at ? `${span(ms)} ago` : `in ${span(ms)}`;
}

/** `850 ms`, `12.5 s`, `3 min 20 s`, `4 h 10 min`, `6 d 2 h` */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const [big, small, unit, under] =
    ms < 3_600_000 ? [60_000, 1_000, 'min', 's'] : ms < 86_400_000 ? [3_600_000, 60_000, 'h', 'min'] : [86_400_000, 3_600_000, 'd', 'h']; // prettier-ignore
  const whole = Math.floor(ms / big);
  const rest = Math.floor((ms % big) / small);
  return rest === 0 ? `${whole} ${unit}` : `${whole} ${unit} ${rest} ${under}`;
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : noun.endsWith('s') ? 'es' : 's'}`;
}

/** A bar on stderr while long work goes on, or a count where nobody knows how much there is; where that is a terminal. */
export class Progress {
  #drawn = 0;

  constructor(
    private readonly what: string,
    private readonly total: number | undefined,
    private readonly out: Pick<NodeJS.WriteStream, 'isTTY' | 'write'> = process.stderr,
  ) {}

  update(done: number): void {
    const { total } = this;
    if (!this.out.isTTY) return;
    const now = Date.now();
    if (now - this.#drawn < 100 && done !== total) return;
    this.#drawn = now;
    this.out.write(
      `\r\x1b[2K${this.what} ${total === undefined ? done : `${barOf(done, total)} ${done}/${total}`}`,
    );
  }

  end(): void {
    if (this.#drawn > 0) this.out.write('\r\x1b[2K');
  }
}

function barOf(done: number, total: number): string {
  const width = 30;
  const share = total === 0 ? 1 : Math.min(1, done / total);
  return '█'.repeat(Math.round(share * width)).padEnd(width, '░');
}
