import { getDocument, OPS } from 'pdfjs-dist/legacy/build/pdf.mjs';

export interface ReadPdf {
  title: string | undefined;
  /** The text of each page, its pieces separated by a space where the page has one. */
  pages: string[];
  /** How many areas are filled on each page: stripes, bars. */
  fills: number[];
}

/** Reads a PDF with Mozilla's reader, which has no code in common with what writes it. */
export async function readPdf(bytes: Buffer): Promise<ReadPdf> {
  const task = getDocument({ data: new Uint8Array(bytes), verbosity: 0 });
  const document = await task.promise;
  const { info } = await document.getMetadata();
  const read: ReadPdf = { title: (info as { Title?: string }).Title, pages: [], fills: [] };
  for (let number = 1; number <= document.numPages; number++) {
    const page = await document.getPage(number);
    const { items } = await page.getTextContent();
    read.pages.push(items.map((item) => ('str' in item ? item.str : '')).join(''));
    const { argsArray } = await page.getOperatorList();
    read.fills.push((argsArray as unknown[][]).filter((args) => args?.[0] === OPS.fill).length);
  }
  await task.destroy();
  return read;
}
