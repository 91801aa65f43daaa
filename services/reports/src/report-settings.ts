import type { PdfFonts } from './output/pdf/pdf-page.js';

/** What the builder of reports is bounded by. */
export interface ReportSettings {
  /** Rows of a PDF at most. */
  pdfMaxRows: number;
  /** Default: Noto Sans. */
  pdfFonts?: PdfFonts | undefined;
  /** A report of at most so many bytes is attached to its mail. */
  attachMaxBytes: number;
  /** What a storage key is appended to for a link to it; mails have no link when absent. */
  linkBase?: string | undefined;
}

/** Injection token of the settings. */
export const reportSettings = Symbol('ReportSettings');
