import { buffer } from 'node:stream/consumers';
import { parse } from 'csv-parse/sync';
import { getDocument, OPS, VerbosityLevel } from 'pdfjs-dist/legacy/build/pdf.mjs';
import { read, utils } from '@e965/xlsx';
import { table } from '../inputs.mjs';
import { count, must } from './check.mjs';
/** @import { Check } from './check.mjs' */

/** @type {Check} */
export const pdfComplete = {
  name: 'pdf',
  async run({ reports: { pdf } }, { storage }) {
    const rows = rowsOf(await table(pdf.data));
    const data = new Uint8Array(await buffer(await storage.get(pdf.outputKey)));
    const document = await getDocument({ data, verbosity: VerbosityLevel.ERRORS }).promise;
    const words = new Set();
    let curves = 0;
    for (let number = 1; number <= document.numPages; number++) {
      const page = await document.getPage(number);
      const { items } = await page.getTextContent();
      for (const item of items) if ('str' in item) words.add(item.str.trim());
      const { fnArray } = await page.getOperatorList();
      curves += fnArray.filter((operation) => operation === OPS.constructPath).length;
    }
    const pages = document.numPages;
    await document.loadingTask.destroy();
    const missing = rows.filter(([date = '']) => !words.has(date));
    must(words.has(pdf.title), `the title "${pdf.title}" is not in it`);
    must(
      missing.length === 0,
      `${missing.length} of ${rows.length} rows are not in it, such as ${missing[0]?.[0]}`,
    );
    must(pages > 1 && curves > 0, `${pages} pages and ${curves} drawn lines`);
    return `${pdf.title}: ${pages} pages with all ${count(rows.length)} rows and a chart`;
  },
};

/** @type {Check} */
export const xlsxComplete = {
  name: 'xlsx',
  async run({ reports: { xlsx } }, { storage }) {
    const wanted = rowsOf(await table(xlsx.data));
    const workbook = read(await buffer(await storage.get(xlsx.outputKey)));
    const sheet = workbook.Sheets[workbook.SheetNames[0] ?? ''] ?? {};
    /** @type {unknown[][]} */
    const found = utils.sheet_to_json(sheet, { header: 1 });
    must(found.length === wanted.length + 1, `${found.length} rows, not ${wanted.length} and a heading`);
    const wrong = wanted.findIndex(([code], index) => String(found[index + 1]?.[0]) !== code);
    must(wrong === -1, `row ${wrong + 2} is ${found[wrong + 1]?.join(',')}, not ${wanted[wrong]?.join(',')}`);
    return `${xlsx.title}: ${count(wanted.length)} rows and a heading, in the order of the data`;
  },
};

/** The rows of a CSV file without its heading. @param {Buffer} csv @returns {string[][]} */
function rowsOf(csv) {
  return parse(csv, { from_line: 2 });
}
