import { isUtf8 } from 'node:buffer';
import { Transform, type TransformCallback } from 'node:stream';
import { ReportError } from '../report-error.js';

const lineFeed = 0x0a;

/**
 * Lets bytes through as long as they are UTF-8 and counts them. Without it a file in another encoding would become a
 * report full of replacement characters.
 * @throws (as stream error) ReportError (`CSV_MALFORMED`) with the line.
 */
export class Utf8Gate extends Transform {
  /** How many bytes came so far. */
  bytes = 0;
  private line = 1;
  /** The beginning of a character whose rest is in the next chunk. */
  private open: Buffer = Buffer.alloc(0);

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.bytes += chunk.length;
    const all = this.open.length === 0 ? chunk : Buffer.concat([this.open, chunk]);
    const cut = all.length - openEnd(all);
    const whole = all.subarray(0, cut);
    if (!isUtf8(whole)) return done(this.malformed(whole));
    this.line += countLines(whole);
    this.open = Buffer.from(all.subarray(cut));
    done(null, whole);
  }

  override _flush(done: TransformCallback): void {
    done(this.open.length === 0 ? null : this.malformed(this.open));
  }

  private malformed(bytes: Buffer): ReportError {
    const line = this.line + countLines(validPart(bytes));
    return new ReportError('CSV_MALFORMED', `The CSV file is not UTF-8 at line ${line}.`, {
      mend: 'Save it as UTF-8 (in a spreadsheet: "CSV UTF-8").',
    });
  }
}

/** How many bytes at the end begin a character that needs more bytes: 0 to 3. */
function openEnd(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue; // a continuation byte: its start is further back
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return needed > back ? back : 0;
  }
  return 0;
}

/** The longest beginning that is UTF-8 (by halving). */
function validPart(bytes: Buffer): Buffer {
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    const part = bytes.subarray(0, middle);
    if (isUtf8(part.subarray(0, middle - openEnd(part)))) good = middle;
    else bad = middle;
  }
  return bytes.subarray(0, good);
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(lineFeed); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) count++;
  return count;
}
