import { numberAxis, timeAxis, type Axis } from './axis.js';
import type { ChartPoint, ChartSeries } from './chart-series.js';
import { ink, type PageBox, Pen } from './pdf-page.js';
import { wrapText } from './wrap-text.js';

const height = 210;
const mostBars = 40;
/** Beyond it, a line shows the lowest and highest point of each of so many slices: as much as a page can tell apart. */
const mostSlices = 600;

interface Plot {
  left: number;
  right: number;
  top: number;
  bottom: number;
  values: Axis;
}

/** Draws charts: a heading, grid lines with round values, and bars or a line. */
export class ChartDrawing {
  private readonly heading: Pen;
  private readonly small: Pen;

  constructor(
    private readonly doc: PDFKit.PDFDocument,
    private readonly box: PageBox,
  ) {
    this.heading = new Pen(doc, { font: 'bold', size: 9.5, color: ink.text });
    this.small = new Pen(doc, { font: 'regular', size: 7.5, color: ink.quiet });
  }

  /** Draws below `y` and returns where the chart ends. */
  draw(series: ChartSeries, points: readonly ChartPoint[], y: number): number {
    this.heading.write(series.title, this.box.left, y);
    if (points.length === 0) {
      this.small.write('No values to draw.', this.box.left, y + 18);
      return y + 34;
    }
    const bars = series.kind === 'bar' ? largest(points) : points;
    if (bars.length < points.length) {
      const note = `the ${bars.length} largest of ${points.length.toLocaleString('en')}`;
      this.small.write(note, this.box.right, y + 2, 'right');
    }
    const plot = this.frame(series.kind, bars, y + 24, y + height);
    if (series.kind === 'line') this.line(plot, bars, series.labelKind);
    else return this.bars(plot, bars);
    return plot.bottom + 18;
  }

  private frame(kind: 'bar' | 'line', points: readonly ChartPoint[], top: number, bottom: number): Plot {
    let low = kind === 'bar' ? 0 : Infinity;
    let high = kind === 'bar' ? 0 : -Infinity;
    for (const { value } of points) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    // A line that starts near zero starts at zero.
    if (low > 0 && low < high / 3) low = 0;
    const values = numberAxis(low, high);
    const room = Math.max(...values.ticks.map(({ label }) => this.small.measure(label)));
    const plot = { left: this.box.left + room + 8, right: this.box.right, top, bottom, values };
    for (const { at, label } of values.ticks) {
      const y = valueY(plot, at);
      this.rule(plot.left, y, plot.right, at === 0 ? ink.quiet : ink.grid);
      this.small.write(label, plot.left - 8, y - this.small.size * 0.7, 'right');
    }
    return plot;
  }

  private line(plot: Plot, points: readonly ChartPoint[], labelKind: ChartSeries['labelKind']): void {
    const first = points[0]?.at ?? 0;
    const last = points.at(-1)?.at ?? first;
    const isTime = labelKind === 'date' || labelKind === 'moment';
    const axis = isTime ? timeAxis(first, last) : numberAxis(first, last, 8);
    const from = isTime || labelKind === 'text' ? first : axis.min;
    const to = isTime || labelKind === 'text' ? Math.max(last, first + 1) : axis.max;
    const x = (at: number): number => plot.left + ((at - from) / (to - from)) * (plot.right - plot.left);
    this.lineLabels(plot, labelKind === 'text' ? wordTicks(points) : axis.ticks, x);

    const path = slices(points).map(({ at, value }) => [x(at), valueY(plot, value)] as const);
    const { doc } = this;
    const [start, end] = [path[0] as readonly [number, number], path.at(-1) as readonly [number, number]];
    const ground = valueY(plot, Math.min(Math.max(0, plot.values.min), plot.values.max));
    doc.save().moveTo(start[0], ground);
    for (const [px, py] of path) doc.lineTo(px, py);
    doc.lineTo(end[0], ground).closePath().fillColor(ink.accent, 0.08).fill().restore();
    doc.save().moveTo(...start);
    for (const [px, py] of path.slice(1)) doc.lineTo(px, py);
    doc
      .lineWidth(path.length > 200 ? 0.8 : 1.4)
      .lineJoin('round')
      .strokeColor(ink.accent)
      .stroke()
      .restore();
    if (path.length === 1) doc.save().circle(start[0], start[1], 2.5).fillColor(ink.accent).fill().restore();
  }

  private lineLabels(plot: Plot, ticks: Axis['ticks'], x: (at: number) => number): void {
    let free = -Infinity;
    for (const { at, label } of ticks) {
      const half = this.small.measure(label) / 2;
      const centre = Math.min(Math.max(x(at), plot.left + half), plot.right - half);
      if (centre - half < free) continue;
      this.small.write(label, centre, plot.bottom + 5, 'center');
      free = centre + half + 8;
    }
  }

  private bars(plot: Plot, points: readonly ChartPoint[]): number {
    const slot = (plot.right - plot.left) / points.length;
    const thickness = Math.min(slot * 0.72, 48);
    const zero = valueY(plot, 0);
    const level = points.every(({ label }) => this.small.measure(label) <= slot - 3);
    let deepest = 0;
    points.forEach(({ label, value }, index) => {
      const centre = plot.left + slot * (index + 0.5);
      const y = valueY(plot, value);
      this.doc
        .rect(centre - thickness / 2, Math.min(y, zero), thickness, Math.abs(zero - y))
        .fill(ink.accent);
      if (level) this.small.write(label, centre, plot.bottom + 5, 'center');
      else deepest = Math.max(deepest, this.slanted(label, centre, plot.bottom + 4));
    });
    return plot.bottom + (level ? 18 : deepest + 12);
  }

  /** Writes a label that ends at `x`, climbing at 40 degrees, and returns how deep it reaches. */
  private slanted(label: string, x: number, y: number): number {
    const [text = ''] = wrapText(label, { width: 72, lines: 1, measure: this.small.measure });
    this.doc.save().rotate(-40, { origin: [x, y] });
    this.small.write(text, x + 2, y, 'right');
    this.doc.restore();
    return this.small.measure(text) * Math.sin((40 * Math.PI) / 180) + this.small.size;
  }

  private rule(left: number, y: number, right: number, color: string): void {
    this.doc.save().moveTo(left, y).lineTo(right, y).lineWidth(0.5).strokeColor(color).stroke().restore();
  }
}

function valueY({ values, top, bottom }: Plot, value: number): number {
  return bottom - ((value - values.min) / (values.max - values.min)) * (bottom - top);
}

/** All bars in their order while they fit, else the largest, largest first. */
function largest(points: readonly ChartPoint[]): readonly ChartPoint[] {
  if (points.length <= mostBars) return points;
  return [...points].sort((one, other) => other.value - one.value).slice(0, mostBars);
}

function wordTicks(points: readonly ChartPoint[]): Axis['ticks'] {
  const every = Math.ceil(points.length / 12);
  return points
    .filter((_, index) => index % every === 0)
    .map(({ at, label }) => ({ at, label: label.slice(0, 24) }));
}

function slices(points: readonly ChartPoint[]): readonly ChartPoint[] {
  if (points.length <= mostSlices * 2) return points;
  const shown: ChartPoint[] = [];
  for (let slice = 0; slice < mostSlices; slice++) {
    const from = Math.floor((slice * points.length) / mostSlices);
    const part = points.slice(from, Math.floor(((slice + 1) * points.length) / mostSlices));
    const lowest = part.reduce((one, other) => (other.value < one.value ? other : one));
    const highest = part.reduce((one, other) => (other.value > one.value ? other : one));
    shown.push(...(lowest.at <= highest.at ? [lowest, highest] : [highest, lowest]));
  }
  return shown;
}
