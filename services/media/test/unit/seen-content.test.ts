import { expect } from 'chai';
import { seenContent } from '../../src/image/seen-content.js';
import { photograph } from '../photographs.js';

describe('naming what a file is', () => {
  const cases: [Buffer, string][] = [
    [Buffer.alloc(0), 'an empty file'],
    [Buffer.from('%PDF-1.7\n'), 'a PDF document'],
    [Buffer.from('PK\x03\x04rest'), 'a ZIP archive or Office document'],
    [Buffer.from('\0\0\0\x18ftypheic'), 'a HEIC image'],
    [Buffer.from('\0\0\0\x20ftypisom'), 'an MP4 or QuickTime file'],
    [Buffer.from('<?xml version="1.0"?>\n<svg xmlns="x"/>'), 'an SVG drawing'],
    [Buffer.from('<!DOCTYPE html><html>'), 'an HTML page'],
    [Buffer.from('Dear   Sir,\n\nplease find'), 'text that starts with "Dear Sir, please find"'],
    [Buffer.from('Grüße'), 'text that starts with "Grüße"'],
    [Buffer.from([1, 2, 3, 0xff]), 'of an unknown format (first bytes 010203ff)'],
  ];
  for (const [file, name] of cases) it(name, () => expect(seenContent(file)).to.equal(name));

  it('knows a real photograph', async () => {
    expect(seenContent(await photograph('Landscape', 1))).to.equal('a JPEG image');
  });

  it('takes a character that the first 512 bytes cut in two for text', () => {
    expect(seenContent(Buffer.from('x' + 'é'.repeat(400)))).to.match(/^text that starts with "xé/);
  });
});
