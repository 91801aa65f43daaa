const headerBytes = 12;
const entryBytes = 16;
/** TrueType and OpenType; a collection or WOFF has another directory of tables. */
const signatures = [0x00010000, 0x4f54544f, 0x74727565];
/** Substitution and placement of glyphs: ligatures, kerning, marks, joined scripts. */
const shapingTables = ['GSUB', 'GPOS', 'GDEF'];

/**
 * The same font without the tables for shaping. Laying out a text by them takes most of the time and memory of a large
 * PDF (20,000 distinct words: 3.3 s and 60 MB, without them 0.3 s and none), and the cells of a table rarely need it: see
 * `needsShaping`. A font in a format not known here comes back as it is.
 */
export function withoutShaping(font: Buffer): Buffer {
  if (font.length < headerBytes || !signatures.includes(font.readUInt32BE(0))) return font;
  const copy = Buffer.from(font);
  let kept = 0;
  for (let entry = 0; entry < font.readUInt16BE(4); entry++) {
    const from = headerBytes + entry * entryBytes;
    const tag = font.toString('latin1', from, from + 4);
    if (shapingTables.includes(tag)) continue;
    if (tag === 'head') distinguish(copy, font.readUInt32BE(from + 8));
    font.copy(copy, headerBytes + kept++ * entryBytes, from, from + entryBytes);
  }
  copy.writeUInt16BE(kept, 4);
  return copy;
}

/** Changes the checksum of the file, by which pdfkit would take both for the same font. */
function distinguish(font: Buffer, headTable: number): void {
  const checkSumAdjustment = headTable + 8;
  font.writeUInt32BE((font.readUInt32BE(checkSumAdjustment) ^ 1) >>> 0, checkSumAdjustment);
}

/** Latin, Greek and Cyrillic letters without separate marks, punctuation, symbols, and the scripts of East Asia. */
const unshaped =
  /^[\u0020-\u02ff\u0370-\u0482\u048a-\u052f\u1e00-\u20cf\u2100-\u2bff\u3000-\u3029\u3030-\u3098\u309b-\u9fff\uac00-\ud7a3\uff00-\uffef]*$/;

/** Whether a text looks wrong without shaping: it has combining marks, or letters that join or change places. */
export function needsShaping(text: string): boolean {
  return !unshaped.test(text);
}
