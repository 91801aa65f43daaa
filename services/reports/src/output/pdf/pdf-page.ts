import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import PDFDocument from 'pdfkit';
import { needsShaping, withoutShaping } from './unshaped-font.js';

/** Paths of TrueType or OpenType files. */
export interface PdfFonts {
  regular: string;
  bold: string;
}

const { resolve } = createRequire(import.meta.url);

/** Noto Sans: Latin, Greek, Cyrillic, Devanagari. */
export const notoSans: PdfFonts = {
  regular: resolve('@expo-google-fonts/noto-sans/400Regular/NotoSans_400Regular.ttf'),
  bold: resolve('@expo-google-fonts/noto-sans/600SemiBold/NotoSans_600SemiBold.ttf'),
};

export const ink = {
  title: '#0f172a',
  text: '#1e293b',
  quiet: '#64748b',
  grid: '#e2e8f0',
  headerFill: '#eef2f7',
  stripe: '#f8fafc',
  accent: '#2563eb',
} as const;

const a4 = { short: 595.28, long: 841.89 };

/** Distances on a page, in points (1/72 inch) from the top left corner. */
export interface PageBox {
  left: number;
  top: number;
  right: number;
  bottom: number;
  /** Baseline area of the footer, below `bottom`. */
  footer: number;
  width: number;
}

export function pageBox(orientation: 'portrait' | 'landscape'): PageBox {
  const [width, height] = orientation === 'portrait' ? [a4.short, a4.long] : [a4.long, a4.short];
  const margin = 42;
  return {
    left: margin,
    top: margin,
    right: width - margin,
    bottom: height - 52,
    footer: height - 36,
    width: width - 2 * margin,
  };
}

/** One style of writing, with the widths of its characters remembered. */
export class Pen {
  private readonly widths = new Map<string, number>();

  constructor(
    private readonly doc: PDFKit.PDFDocument,
    private readonly style: { font: keyof PdfFonts; size: number; color: string },
  ) {}

  get size(): number {
    return this.style.size;
  }

  /** Width of a text in points, kerning left aside. */
  readonly measure = (text: string): number => {
    let width = 0;
    for (const character of text) width += this.widths.get(character) ?? this.measureCharacter(character);
    return width;
  };

  /** Writes one line whose top is at `y`, and which begins, ends or is centred at `x`. */
  write(text: string, x: number, y: number, align: 'left' | 'right' | 'center' = 'left'): void {
    if (text === '') return;
    const { size, color } = this.style;
    const width = align === 'left' ? 0 : this.measure(text);
    const left = align === 'left' ? x : align === 'right' ? x - width : x - width / 2;
    this.doc
      .font(this.fontFor(text))
      .fontSize(size)
      .fillColor(color)
      .text(text, left, y, { lineBreak: false });
  }

  private fontFor(text: string): string {
    return this.style.font === 'regular' && !needsShaping(text) ? 'unshaped' : this.style.font;
  }

  private measureCharacter(character: string): number {
    const width = this.doc.font(this.fontFor(character)).fontSize(this.style.size).widthOfString(character);
    this.widths.set(character, width);
    return width;
  }
}

/** A document without automatic margins or pages: this folder places everything itself. */
export function newDocument(title: string, created: Date, fonts: PdfFonts): PDFKit.PDFDocument {
  const doc = new PDFDocument({
    autoFirstPage: false,
    lang: 'en',
    displayTitle: true,
    fontLayoutCache: false,
    info: { Title: title, Creator: 'Jobrail reports', Producer: 'Jobrail reports', CreationDate: created },
  });
  doc.registerFont('regular', fonts.regular);
  doc.registerFont('bold', fonts.bold);
  doc.registerFont('unshaped', withoutShaping(readFileSync(fonts.regular)));
  return doc;
}
