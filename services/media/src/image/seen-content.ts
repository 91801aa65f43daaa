/** Where a signature starts, what it looks like (latin1), and what it is. The first that fits counts. */
const signatures: readonly [offset: number, bytes: string, name: string][] = [
  [0, '\xff\xd8\xff', 'a JPEG image'],
  [0, '\x89PNG', 'a PNG image'],
  [0, 'GIF8', 'a GIF image'],
  [0, 'II*\0', 'a TIFF image'],
  [0, 'MM\0*', 'a TIFF image'],
  [8, 'WEBP', 'a WebP image'],
  [4, 'ftypavif', 'an AVIF image'],
  [4, 'ftyphei', 'a HEIC image'],
  [4, 'ftypmif1', 'a HEIF image'],
  [4, 'ftyp', 'an MP4 or QuickTime file'],
  [0, 'BM', 'a BMP image'],
  [0, '8BPS', 'a Photoshop document'],
  [0, '%PDF', 'a PDF document'],
  [0, 'PK\x03\x04', 'a ZIP archive or Office document'],
  [0, '\x1f\x8b', 'a gzip archive'],
  [0, '\x1aE\xdf\xa3', 'a Matroska or WebM file'],
  [8, 'AVI ', 'an AVI file'],
  [0, 'OggS', 'an Ogg file'],
  [0, 'ID3', 'an MP3 file'],
  [0, '\x7fELF', 'a Linux program'],
  [0, 'MZ', 'a Windows program'],
];

/** What a file looks like by its first bytes, as the end of the sentence "it is …". Only for messages: nothing is decided by it. */
export function seenContent(file: Buffer): string {
  if (file.length === 0) return 'an empty file';
  const head = file.subarray(0, 512);
  const latin1 = head.toString('latin1');
  const known = signatures.find(([offset, bytes]) => latin1.startsWith(bytes, offset));
  if (known) return known[2];
  const text = asText(head);
  if (text === undefined) return `of an unknown format (first bytes ${head.subarray(0, 8).toString('hex')})`;
  if (/^\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE svg|<svg)/is.test(text)) return 'an SVG drawing';
  if (/^\s*<(!doctype html|html)/i.test(text)) return 'an HTML page';
  const start = text.trim().replace(/\s+/g, ' ').slice(0, 40);
  return `text that starts with ${JSON.stringify(start)}`;
}

/** The bytes as text, or undefined when they are not UTF-8 or have control characters that text has not. */
function asText(head: Buffer): string | undefined {
  // `stream` tolerates a character that the end of the head cuts in two.
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true });
    return /[^\P{Cc}\t\n\f\r]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
